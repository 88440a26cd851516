import type { Flag } from "./command-rule.ts";
import { type CompiledValue, compileValue } from "./compiled-value.ts";

/** A {@link Flag} made ready. */
export interface CompiledFlag {
  flag: string;
  /** Null where it takes none. */
  value: CompiledValue | null;
  /** Whether the value may be, or has to be, the argument after it. */
  separate: boolean;
  /** What stands before the value in the same argument; null where it may not be there. */
  prefix: string | null;
}

/**
 * Makes a flag ready. With a value, `-n` takes it as `-n 5` and `-n5`, `--lines` as `--lines 5` and `--lines=5`, `-lines` (one dash, a
 * word) as the next argument alone, and a flag that is written with a `=` at its end, `-lines=`, in the same argument alone.
 */
export function compileFlag(written: Flag): CompiledFlag {
  if (typeof written === "string") return { flag: written, value: null, separate: false, prefix: null };
  const { flag } = written;
  const value = compileValue(written.value);
  if (flag.endsWith("=")) return { flag, value, separate: false, prefix: flag };
  if (/^--./.test(flag)) return { flag, value, separate: true, prefix: `${flag}=` };
  return { flag, value, separate: true, prefix: /^-[^-]$/u.test(flag) ? flag : null };
}
