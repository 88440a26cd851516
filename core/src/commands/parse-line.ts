import { initialAt, insideDoubleQuotes, notACommand, operatorAt, unfitIn } from "./shell-syntax.ts";

export { caretText } from "./caret-text.ts";

/** Longest line, in UTF-16 units: an event takes no longer one. */
export const MAX_LINE = 4096;
const MAX_WORDS = 1000;
const MAX_STAGES = 10;

/** One argument as the program gets it, and where in the line it began, in UTF-16 units. */
export interface Word {
  text: string;
  offset: number;
}

/** What a line is: for each stage of a pipeline its words; or where it is something else, and a sentence that says so. */
export type ParsedLine = { ok: true; stages: Word[][] } | { ok: false; offset: number; message: string };

/** Thrown inside this file only. */
class Unparsable extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/**
 * Splits a line into words as POSIX sh does (XCU 2.2, Quoting: `'…'`, `"…"` and `\`), and refuses all else that a shell
 * would act on. What it accepts is, word for word, what sh would give to the program. With `pipes`, `|` parts stages, of
 * which none is empty. A line of blanks has no stages. Whether a program may be run is not asked here.
 */
export function parseLine(line: string, options: { pipes: boolean }): ParsedLine {
  try {
    return { ok: true, stages: new Reader(line, options.pipes).stages() };
  } catch (error) {
    if (!(error instanceof Unparsable)) throw error;
    return { ok: false, offset: error.offset, message: error.message };
  }
}

class Reader {
  readonly #line: string;
  readonly #pipes: boolean;
  #at = 0;

  constructor(line: string, pipes: boolean) {
    this.#line = line;
    this.#pipes = pipes;
  }

  stages(): Word[][] {
    const line = this.#line;
    if (line.length > MAX_LINE)
      throw new Unparsable(MAX_LINE, `The line is longer than ${MAX_LINE} characters; make it shorter.`);
    const unfit = unfitIn(line);
    if (unfit !== null) throw new Unparsable(unfit.offset, unfit.message);
    const stages: Word[][] = [];
    let words: Word[] = [];
    let count = 0;
    for (this.#skipBlanks(); this.#at < line.length; this.#skipBlanks()) {
      if (this.#isPipe()) {
        if (words.length === 0)
          throw new Unparsable(this.#at, "Nothing comes before this `|`; give a command.");
        if (stages.length + 1 >= MAX_STAGES)
          throw new Unparsable(this.#at, `More than ${MAX_STAGES} commands in one line; use fewer.`);
        stages.push(words);
        words = [];
        this.#at++;
        continue;
      }
      if (count++ >= MAX_WORDS)
        throw new Unparsable(this.#at, `More than ${MAX_WORDS} words in one line; use fewer.`);
      words.push(this.#word(words.length === 0));
    }
    if (words.length > 0) stages.push(words);
    else if (stages.length > 0)
      throw new Unparsable(line.lastIndexOf("|"), "Nothing follows this `|`; give a command.");
    return stages;
  }

  #isBlank(): boolean {
    return this.#line[this.#at] === " " || this.#line[this.#at] === "\t";
  }

  #skipBlanks(): void {
    while (this.#isBlank()) this.#at++;
  }

  #isPipe(): boolean {
    const [char, next] = [this.#line[this.#at], this.#line[this.#at + 1]];
    return this.#pipes && char === "|" && next !== "|" && next !== "&";
  }

  #word(first: boolean): Word {
    const line = this.#line;
    const offset = this.#at;
    const initial = initialAt(line, offset);
    if (initial !== null) throw new Unparsable(offset, initial);
    let text = "";
    while (this.#at < line.length && !this.#isBlank() && !this.#isPipe()) {
      const char = line[this.#at];
      if (char === "'") text += this.#singleQuoted();
      else if (char === '"') text += this.#doubleQuoted();
      else if (char === "\\") text += this.#escaped();
      else {
        const message = operatorAt(line, this.#at);
        if (message !== null) throw new Unparsable(this.#at, message);
        text += char;
        this.#at++;
      }
    }
    // Quoted, a reserved word is a name like any other: what counts is how it was written.
    const message = first ? notACommand(line.slice(offset, this.#at)) : null;
    if (message !== null) throw new Unparsable(offset, message);
    return { text, offset };
  }

  #singleQuoted(): string {
    const begin = this.#at + 1;
    const end = this.#line.indexOf("'", begin);
    if (end < 0) throw new Unparsable(begin - 1, "This ' has no counterpart; close the quotes.");
    this.#at = end + 1;
    return this.#plain(begin, end);
  }

  #doubleQuoted(): string {
    const line = this.#line;
    const begin = this.#at++;
    let text = "";
    for (; ; this.#at++) {
      const char = line[this.#at];
      if (char === undefined) throw new Unparsable(begin, 'This " has no counterpart; close the quotes.');
      if (char === '"') break;
      const message = insideDoubleQuotes(line, this.#at);
      if (message !== null) throw new Unparsable(this.#at, message);
      const next = line[this.#at + 1];
      const isEscape = char === "\\" && next !== undefined && '$`"\\'.includes(next);
      if (isEscape) this.#at++;
      text += isEscape ? next : this.#plain(this.#at, this.#at + 1);
    }
    this.#at++;
    return text;
  }

  #escaped(): string {
    const begin = this.#at;
    if (begin + 1 >= this.#line.length)
      throw new Unparsable(begin, "The line ends with a \\; take it out, or give what it makes plain.");
    this.#at += 2;
    return this.#plain(begin + 1, begin + 2);
  }

  /** Characters that stand for themselves; a tab does outside quotes only, where it parts words. */
  #plain(begin: number, end: number): string {
    const text = this.#line.slice(begin, end);
    const tab = text.indexOf("\t");
    if (tab >= 0) throw new Unparsable(begin + tab, "There is a tab in a word; take it out.");
    return text;
  }
}
