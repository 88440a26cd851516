import { PROGRAM_PATH } from "./command-rule.ts";
import type { HostFiles } from "./host-files.ts";
import { baseName } from "./rule-index.ts";

/** Whether what was typed names a rule's program, and which file that is: null where it is not on the host. */
export type Named = { program: string | null } | null;

/**
 * What was typed is a name or an absolute path; so is a rule's program. They mean the same when they are the same, or when the
 * name leads, by PROGRAM_PATH, to the very file of the path. A path is never followed out of what root keeps.
 */
export function namedProgram(written: string, typed: string, files: HostFiles): Named {
  if (written === typed) return { program: files.program(written) };
  if (baseName(written) !== baseName(typed)) return null;
  const same = (one: string, other: string) => {
    if (one === other) return true;
    const real = files.real(one);
    return real !== null && real === files.real(other);
  };
  if (!typed.includes("/")) {
    const found = files.program(typed);
    return found !== null && same(found, written) ? { program: files.program(written) } : null;
  }
  if (!typed.startsWith("/")) return null;
  const program = files.program(written);
  if (program === null) return null;
  return typed === program || (isOnPath(typed) && isOnPath(program) && same(typed, program))
    ? { program }
    : null;
}

/** How a program is typed: by its name where that is enough. */
export function typedName(program: string): string {
  return isOnPath(program) ? baseName(program) : program;
}

function isOnPath(program: string): boolean {
  const slash = program.lastIndexOf("/");
  return slash > 0 && PROGRAM_PATH.includes(program.slice(0, slash));
}
