import type { Finding } from "./finding.ts";
import { startsAnything } from "./known/known-programs.ts";
import { isIn, whyStartsCode, whyWideToWrite } from "./places.ts";
import type { RuleView } from "./rule-view.ts";

/** What a rule lets a program do past the kernel's confinement. `programs`: what all rules together execute. */
export function lintConfinement(view: RuleView, programs: readonly string[]): Finding[] {
  const { rule, path } = view;
  const { confine, runAs } = rule;
  const found: Finding[] = [];
  const add = (severity: Finding["severity"], code: Finding["code"], at: PropertyKey[], message: string) =>
    found.push({ severity, code, path: [...path, ...at], message });

  if (runAs !== undefined) {
    add(
      view.fixed ? "note" : runAs === "root" ? "danger" : "warning",
      "run-as",
      ["runAs"],
      view.fixed && rule.flags.length > 0
        ? `It runs as ${runAs} by sudo, without Landlock and without no_new_privs. Its flags may stand in any order, so sudo itself takes any arguments: written as optional arguments, sudo compares them too.`
        : view.fixed
          ? `It runs as ${runAs} by sudo, without Landlock and without no_new_privs; its arguments are fixed, so it does what is written here.`
          : `It runs as ${runAs} by sudo, without Landlock and without no_new_privs, with arguments that the contractor chooses. Write them out, or put a script of your own before it.`,
    );
    if (confine.execute.length + confine.write.length > 0 || confine.read !== undefined)
      add(
        "warning",
        "run-as",
        ["confine"],
        "`confine` has no effect together with `runAs`: sudo needs what Landlock takes.",
      );
  }
  if (confine.read === "any")
    add(
      "warning",
      "read-any",
      ["confine", "read"],
      "`read: any` lets it read programs, and the dynamic loader runs what it can read (ld.so /bin/sh): whoever makes this program " +
        "start the loader, or is given it, starts anything. List directories instead.",
    );
  for (const [index, program] of confine.execute.entries())
    if (startsAnything(program))
      add(
        view.fixed ? "note" : "danger",
        "execute-programs",
        ["confine", "execute", index],
        `${program} runs whatever it is told to, within the same confinement: what its caller passes on to it is not judged.`,
      );
  for (const [index, directory] of confine.write.entries()) {
    const at = ["confine", "write", index];
    const wide = whyWideToWrite(directory);
    const startup = whyStartsCode(directory);
    const held = programs.find((program) => program.startsWith("/") && isIn(program, directory));
    if (held !== undefined)
      add(
        "danger",
        "write-programs",
        at,
        `${held}, which is run here, is in ${directory}: it could be replaced by anything.`,
      );
    else if (startup !== null)
      add("danger", "write-startup-files", at, `Writing to ${directory} is more than it looks: ${startup}.`);
    else if (wide !== null)
      add(
        "danger",
        "write-wide",
        at,
        `Writing to ${directory} is too much: ${wide}. Name the directory that is meant.`,
      );
  }
  return found;
}
