import type { Value } from "./command-rule.ts";
import { wholeMatch } from "./regular-expression.ts";

/** Gives the path of an argument after symbolic links, or null; without one, every path is taken to be where it should be. */
export type Resolve = ((path: string) => string | null) | null;

/** A {@link Value} made ready to be asked. */
export interface CompiledValue {
  written: Value;
  /** All that it may be, where that can be listed. */
  words: readonly string[] | null;
  /**
   * Whether a text fits: true, or the directory that its path is in. `joined` says that a flag stands before it in the same
   * argument, so that a `-` in front makes no option of it.
   */
  fits(text: string, joined: boolean, resolve: Resolve): boolean | string;
}

/** Makes a value ready. Throws a TypeError for a pattern that is none. */
export function compileValue(written: Value): CompiledValue {
  if (typeof written === "string") {
    return { written, words: [written], fits: (text) => text === written };
  }
  if ("oneOf" in written) {
    const words = new Set(written.oneOf);
    return { written, words: [...words], fits: (text) => words.has(text) };
  }
  if ("integer" in written) {
    const { from, to } = written.integer;
    return { written, words: null, fits: (text) => isInteger(text, from, to) };
  }
  if ("matches" in written) {
    const matches = wholeMatch(written.matches);
    return {
      written,
      words: null,
      fits: (text, joined) => (joined || !text.startsWith("-")) && matches(text),
    };
  }
  const directory = written.under;
  return {
    written,
    words: null,
    fits(text, joined, resolve) {
      // An empty path is an error to some programs, and the directory they are in to others.
      if (text === "" || (text.startsWith("-") && !joined)) return false;
      const real = resolve === null ? directory : resolve(text);
      // The directory is taken as it is written: were its own links followed, whoever may replace it would choose it.
      return real !== null && isWithin(real, directory) && directory;
    },
  };
}

/** Bounds are within what a number holds exactly. */
function isInteger(text: string, from: number, to: number): boolean {
  if (!/^(0|-?[1-9][0-9]{0,15})$/.test(text)) return false;
  const value = Number(text);
  return value >= from && value <= to;
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}
