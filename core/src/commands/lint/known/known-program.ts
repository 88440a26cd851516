/**
 * What comes of it. `starts`: it executes other programs, which Landlock stops. `code`: it runs code that it is given, in its own
 * process, where Landlock stops other programs and writing and nothing else. `service`: it has something done by a process
 * that is not confined (a daemon). `remote`: by another machine. `writes`: it writes files by name, which Landlock stops.
 */
export type Risk = "starts" | "code" | "service" | "remote" | "writes";

/** What somebody who writes a policy should know of a program. One program may have several of these. */
export interface KnownProgram {
  /** Names without a directory, and without the version behind: `python` is python3.11 too. Separated by blanks. */
  programs: string;
  risk: Risk;
  /** Whatever it is given: how. */
  always?: string;
  /** It does so by itself, by what it is given; nobody can make it start something else. */
  itself?: true;
  /** Where it may be called without any operand (it is interactive then): how. */
  bare?: string;
  /** Options (separated by blanks) with which it does, and how. */
  options?: readonly (readonly [options: string, how: string])[];
  /** Those options count only where the contractor chooses their value: it is a language of its own. */
  byValue?: true;
  /** First operands (sub-commands) with which it does, and how. */
  subcommands?: readonly (readonly [words: string, how: string])[];
  /** An operand that the contractor chooses: how; `first` looks at the first operand only. */
  operand?: { which: "any" | "first"; how: string };
  /** Text written out that does it. */
  text?: readonly (readonly [pattern: RegExp, how: string])[];
  /** What in a rule keeps it from that: words or a first operand among `arguments`, variables in `environment`. */
  closedBy?: {
    words?: string;
    subcommands?: string;
    environment?: Readonly<Record<string, readonly string[]>>;
  };
}
