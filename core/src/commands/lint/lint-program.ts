import type { CommandGrant } from "../command-rule.ts";
import type { Finding, LintCode, Severity } from "./finding.ts";
import type { KnownProgram, Risk } from "./known/known-program.ts";
import { knownOf, startsAnything } from "./known/known-programs.ts";
import type { Operand, RuleView, WrittenOption } from "./rule-view.ts";

type Confinement = CommandGrant["confinement"];

const CODES: Record<Risk, LintCode> = {
  starts: "starts-programs",
  code: "runs-code",
  service: "asks-a-service",
  remote: "reaches-out",
  writes: "writes-files",
};

const VERBS: Record<Risk, string> = {
  starts: "starts other programs",
  code: "runs code",
  service: "has things done by a process that is not confined",
  remote: "acts on other machines",
  writes: "writes files",
};

/** What a program is known to do beyond its task, as far as this rule lets it, and what of it the kernel stops. */
export function lintProgram(view: RuleView, confinement: Confinement): Finding[] {
  return [
    ...knownOf(view.rule.program).flatMap((known) => lintKnown(known, view, confinement)),
    ...lintScript(view),
  ];
}

function lintKnown(known: KnownProgram, view: RuleView, confinement: Confinement): Finding[] {
  if (isClosed(known, view) || isHeld(known, view, confinement)) return [];
  const found = waysOf(known, view);
  // One for each place: a program that does it anyhow need not be told of its options as well.
  const [first] = found;
  if (first === undefined) return [];
  const ways = first.path.at(-1) === "program" ? [first] : found;
  return ways.map(({ path, what, how, fixed }) => {
    const severity = severityOf(known.risk, fixed, view, confinement);
    const kernel = kernelSentence(known.risk, view, confinement);
    return {
      severity,
      code: CODES[known.risk],
      path,
      message: `${what} ${VERBS[known.risk]}: ${how}.${kernel}${closingSentence(known, view)}`,
    };
  });
}

interface Way {
  path: readonly PropertyKey[];
  what: string;
  how: string;
  /** The policy chose all of it. */
  fixed: boolean;
}

function waysOf(known: KnownProgram, view: RuleView): Way[] {
  const program = [...view.path, "program"];
  const { name, operands, rest, fixed } = view;
  // What is started from a prompt does not hang on the arguments.
  if (known.always !== undefined)
    return [
      {
        path: program,
        what: name,
        how: known.always,
        fixed: fixed && (known.risk !== "starts" || known.itself === true),
      },
    ];
  const ways: Way[] = [];
  if (known.bare !== undefined && operands.every(({ optional }) => optional) && !hasFixedCode(known, view))
    ways.push({ path: program, what: `${name} without arguments`, how: known.bare, fixed: false });
  for (const [options, how] of known.options ?? []) {
    for (const option of view.options.filter((one) => isAmong(one, options)))
      if (!option.fixed || (known.byValue !== true && /^(starts|writes)$/.test(known.risk)))
        ways.push({ path: option.path, what: `${name} ${option.name}`, how, fixed: option.fixed });
    if (rest !== undefined)
      ways.push({
        path: rest,
        what: `${name} with arguments of their own (${options.split(" ").slice(0, 4).join(", ")} …)`,
        how,
        fixed: false,
      });
  }
  const first = operands[0];
  for (const [words, how] of known.subcommands ?? []) {
    const word = first?.texts.find((text) => words.split(" ").includes(text));
    if (first !== undefined && word !== undefined)
      ways.push({ path: first.path, what: `${name} ${word}`, how, fixed });
  }
  const { operand } = known;
  if (operand !== undefined) {
    const open = (operand.which === "first" ? operands.slice(0, 1) : operands).find(
      (one: Operand) => one.open,
    );
    const path = open?.path ?? (operand.which === "any" || operands.length === 0 ? rest : undefined);
    if (path !== undefined)
      ways.push({
        path,
        what: `${name} with an argument that the contractor chooses`,
        how: operand.how,
        fixed: false,
      });
  }
  for (const [pattern, how] of known.text ?? [])
    for (const { value, path } of view.values)
      if (typeof value === "string" && pattern.test(value))
        ways.push({ path, what: `${name} with this argument`, how, fixed: true });
  return ways;
}

/** An option with its code written out makes a language run that and nothing else. */
function hasFixedCode(known: KnownProgram, view: RuleView): boolean {
  return view.options.some(
    (option) =>
      option.fixed &&
      view.words.includes(option.name) &&
      (known.options ?? []).some(([options]) => isAmong(option, options)),
  );
}

/** A written option is one of these: itself, cut short as getopt_long(3) allows, or in a cluster of letters. */
function isAmong({ name }: WrittenOption, options: string): boolean {
  return options.split(" ").some((option) => {
    if (name === option) return true;
    if (option.startsWith("--")) return name.length > 4 && option.startsWith(name);
    return (
      option.length === 2 &&
      option !== "--" &&
      /^-[A-Za-z]{2,8}$/.test(name) &&
      name.includes(option.slice(1))
    );
  });
}

/** A writer that may write nowhere is no more than it seems. */
function isHeld({ risk }: KnownProgram, { rule }: RuleView, confinement: Confinement): boolean {
  return (
    risk === "writes" &&
    confinement === "required" &&
    rule.runAs === undefined &&
    rule.confine.write.length === 0
  );
}

function isClosed({ closedBy }: KnownProgram, { rule, words, options, operands, rest }: RuleView): boolean {
  if (closedBy === undefined) return false;
  const never = closedBy.subcommands?.split(" ") ?? [];
  const first = operands[0];
  if (first !== undefined && !first.open && first.texts.length > 0 && !first.optional && rest === undefined)
    if (first.texts.every((text) => never.includes(text))) return true;
  // sudo(8) does not pass the environment on.
  const variables = rule.runAs === undefined ? Object.entries(closedBy.environment ?? {}) : [];
  if (variables.some(([name, values]) => values.includes(rule.environment[name] ?? "\0"))) return true;
  const needed = closedBy.words?.split(" ") ?? [];
  const isFixed = (word: string) => options.some((option) => option.name === word && option.fixed);
  return rest === undefined && words.some((word) => needed.includes(word) && isFixed(word));
}

function severityOf(risk: Risk, fixed: boolean, view: RuleView, confinement: Confinement): Severity {
  const { runAs, confine } = view.rule;
  if (risk === "service") return fixed ? "note" : "danger";
  if (risk === "remote") return fixed ? "note" : "warning";
  if (risk === "code") return fixed ? "warning" : "danger";
  if (runAs !== undefined) return fixed ? "note" : "danger";
  if (risk === "writes") return fixed || confine.write.length === 0 ? "note" : "warning";
  if (confine.read === "any" || confine.execute.some(startsAnything)) return fixed ? "warning" : "danger";
  return confinement === "required" || fixed ? "note" : "warning";
}

/** What the kernel still holds. */
function kernelSentence(risk: Risk, { rule }: RuleView, confinement: Confinement): string {
  const { runAs, confine } = rule;
  if (risk === "service" || risk === "remote") return " No confinement of ours reaches there.";
  if (runAs !== undefined) return ` It runs as ${runAs} by sudo, without Landlock: nothing holds it.`;
  const where =
    confinement === "required" ? "" : " where the kernel has it (`confinement: required` refuses elsewhere)";
  if (risk === "writes")
    return confine.write.length === 0
      ? ` Landlock stops that${where}.`
      : ` Landlock leaves it ${confine.write.join(", ")}${where}.`;
  if (risk === "code")
    return " Not even Landlock keeps that from what it may read, from connecting and from signals.";
  const started = confine.execute.filter(startsAnything);
  if (started.length > 0)
    return ` confine.execute lets it have ${started.join(", ")}, and with that anything.`;
  if (confine.read === "any")
    return " `read: any` lets it read programs, and the dynamic loader runs what it can read: Landlock does not stop it.";
  return ` Landlock stops that${where}; what it needs is named in confine.execute.`;
}

/** What else would keep it from that. */
function closingSentence({ closedBy }: KnownProgram, { rule }: RuleView): string {
  if (closedBy === undefined) return "";
  const variables = rule.runAs === undefined ? Object.entries(closedBy.environment ?? {}) : [];
  const ways = [
    ...(closedBy.words === undefined
      ? []
      : [`${closedBy.words.split(" ").join(" or ")} among the arguments`]),
    ...variables.slice(-1).map(([name, values]) => `${name}=${values[0]} in the environment`),
  ];
  return ways.length === 0 ? "" : ` It does not with ${ways.join(", or with ")}.`;
}

function lintScript({ rule, path }: RuleView): Finding[] {
  if (!/\.(sh|bash|py|pl|rb|js|php|lua|tcl)$/.test(rule.program)) return [];
  return [
    {
      severity: "note",
      code: "script",
      path: [...path, "program"],
      message:
        `${rule.program} is a script by its name: the interpreter behind #! may be executed too, and what the script starts must ` +
        "be in confine.execute. Its arguments are not a shell's, but what it makes of them is its own affair: quote them there.",
    },
  ];
}
