import { INTERACTIVE } from "./interactive.ts";
import { INTERPRETERS } from "./interpreters.ts";
import type { KnownProgram } from "./known-program.ts";
import { LAUNCHERS } from "./launchers.ts";
import { SERVICES } from "./services.ts";

const BY_NAME = new Map<string, KnownProgram[]>();
for (const known of [...INTERACTIVE, ...INTERPRETERS, ...LAUNCHERS, ...SERVICES]) {
  for (const name of known.programs.split(" ")) BY_NAME.set(name, [...(BY_NAME.get(name) ?? []), known]);
}

/** The dynamic loader: given a program, it runs that instead of itself. */
const LOADER: KnownProgram = {
  programs: "ld.so",
  risk: "code",
  always: "any program that it can read, whatever may be executed",
};

/** What is known of a program, by its name or path: nothing is known of most. */
export function knownOf(program: string): readonly KnownProgram[] {
  const name = program.slice(program.lastIndexOf("/") + 1);
  if (/^ld(-[\w.-]+)?\.so(\.\d+)*$/.test(name)) return [LOADER];
  return BY_NAME.get(name) ?? BY_NAME.get(withoutVersion(name)) ?? [];
}

/** Whether executing this program is executing anything: shells, languages, launchers. */
export function startsAnything(program: string): boolean {
  return knownOf(program).some(
    (known) =>
      known === LOADER ||
      (INTERPRETERS.includes(known) && known.risk === "code" && known.bare !== undefined) ||
      (LAUNCHERS.includes(known) && known.bare !== undefined),
  );
}

/** `python3.11` is python, `vim.basic` vim, `perl5.36-x86_64-linux-gnu` perl. */
function withoutVersion(name: string): string {
  return name
    .replace(/\.(basic|tiny|nox|gtk3|openbsd|traditional|distrib)$/, "")
    .replace(/-?\d[\d.]*(-[\w-]+)?$/, "");
}
