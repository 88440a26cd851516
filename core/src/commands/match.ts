import { printable } from "../terminal-text.ts";
import { type CommandGrant, type CommandRule, ruleName } from "./command-rule.ts";
import type { CompiledRule } from "./compiled-rule.ts";
import { completions } from "./complete.ts";
import { type HostFiles, remembered } from "./host-files.ts";
import { refusalDetail } from "./refusal-detail.ts";
import { baseName, RuleIndex } from "./rule-index.ts";
import { namedProgram } from "./rule-program.ts";
import { unfitIn } from "./shell-syntax.ts";
import { usageText } from "./usage-text.ts";
import { type Place, walk } from "./walk.ts";

export type { HostFiles } from "./host-files.ts";

const MAX_WORDS = 1000;
const MAX_WORD = 8192;
const MAX_USAGES = 10;

/** Whose command it is and what is where: the host's side of a decision. */
export interface CommandSurroundings {
  /** Home directory of the account, absolute and after symbolic links. */
  home: string;
  files: HostFiles;
}

/** What may be done with a command. */
export type CommandDecision =
  | {
      outcome: "allow";
      /** The engagement's own. */
      rule: CommandRule;
      name: string;
      /** What to execute, absolute; `argv` is what it gets, word for word what was asked for. */
      program: string;
      argv: string[];
      directory: string;
      /** The directories of `under` values that arguments were found in, the narrowest where grants differ. */
      under: string[];
      /** Seconds, and bytes: the narrowest of all grants; null where none has any. */
      timeLimit: number | null;
      outputLimit: number | null;
      confinement: "available" | "required";
    }
  | {
      outcome: "refuse";
      code: "command-not-allowed" | "argument-not-allowed" | "program-missing";
      /** A printable sentence or two. */
      detail: string;
      /** What is allowed instead: at most ten, of the same program first. */
      usages: string[];
    };
type Refusal = Extract<CommandDecision, { outcome: "refuse" }>;

/** A command that a rule of the first grant would run, before the others are asked. */
interface Run {
  rule: CommandRule;
  program: string | null;
  directory: string;
  end: Place;
}

/** What the lists of an engagement and of a host's local policies allow together: every one of them must allow. */
export class CommandRules {
  readonly #grants: readonly RuleIndex[];
  readonly #confinement: "available" | "required";
  readonly #usages: { rule: CommandRule; called: string; text: string }[];

  /** The engagement's own grant comes first: it says how a command runs. Throws a TypeError for a pattern that is none. */
  constructor(grants: readonly CommandGrant[]) {
    this.#grants = grants.map(({ rules }) => new RuleIndex(rules));
    this.#confinement = grants.some(({ confinement }) => confinement === "required")
      ? "required"
      : "available";
    const [own, ...others] = this.#grants;
    this.#usages = (own?.rules ?? [])
      .filter(({ rule }) => others.every((grant) => grant.of(rule.program) !== undefined))
      .map(({ rule }) => ({ rule, called: baseName(rule.program), text: usageText(rule) }));
  }

  /** Whether a command may run, and how. Of several rules that fit, the first that all grants agree to counts. */
  decide(argv: readonly string[], surroundings: CommandSurroundings): CommandDecision {
    const [own, ...others] = this.#grants;
    const typed = argv[0];
    const group = typed === undefined ? undefined : own?.of(typed);
    if (own === undefined || typed === undefined || group === undefined) return this.#unknown(typed ?? "");
    const unfit = unfitArgument(argv);
    if (unfit !== null) return this.#refuse("argument-not-allowed", unfit, typed);
    const { home } = surroundings;
    const files = remembered(surroundings.files);
    const words = argv.slice(1);
    let missing = false;
    let objection: Refusal | null = null;
    for (const candidate of group.candidates(words)) {
      const { rule } = candidate;
      const named = namedProgram(rule.program, typed, files);
      if (named === null) continue;
      const directory = rule.directory ?? home;
      const { end } = walk(candidate, words, from(directory, files));
      if (end === null) continue;
      if (named.program === null) {
        missing = true;
        continue;
      }
      const run: Run = { rule, program: named.program, directory, end };
      const agreed = others.map((grant) => agreement(grant, typed, words, run, files));
      const ends = agreed.filter((one) => one !== null);
      if (ends.length === others.length) return this.#allow(run, named.program, argv, ends);
      objection ??= this.#objection(others[agreed.indexOf(null)], typed, words, directory, files);
    }
    if (objection !== null) return objection;
    if (missing)
      return this.#refuse(
        "program-missing",
        `${quoted(typed)} is allowed here, but this host cannot run it.`,
        typed,
      );
    const detail = nearest(own, typed, words, home, files);
    return detail === null ? this.#unknown(typed) : this.#refuse("argument-not-allowed", detail, typed);
  }

  /** What could stand as the last of some words, the first of which is the program; the last may be empty. */
  complete(words: readonly string[]): string[] {
    return completions(this.#grants, words);
  }

  /** What is allowed, for people: every rule, in the order of the engagement. Texts are printable. */
  usages(): { name: string; usage: string; description: string | null }[] {
    return this.#usages.map(({ rule, text }) => ({
      name: ruleName(rule),
      usage: text,
      description: rule.description ?? null,
    }));
  }

  #allow(
    run: Run,
    program: string,
    argv: readonly string[],
    agreed: readonly { rule: CommandRule; end: Place }[],
  ): CommandDecision {
    const rules = [run.rule, ...agreed.map(({ rule }) => rule)];
    return {
      outcome: "allow",
      rule: run.rule,
      name: ruleName(run.rule),
      program,
      argv: [...argv],
      directory: run.directory,
      under: narrowest([run.end, ...agreed.map(({ end }) => end)]),
      timeLimit: least(rules.map(({ timeLimit }) => timeLimit)),
      outputLimit: least(rules.map(({ outputLimit }) => outputLimit)),
      confinement: this.#confinement,
    };
  }

  #unknown(typed: string): Refusal {
    const isRelative = typed.includes("/") && !typed.startsWith("/");
    const detail = isRelative
      ? `A program is given by its name or its absolute path, and not as ${quoted(typed)}.`
      : `${quoted(typed)} is not one of the commands that are allowed here.`;
    return this.#refuse("command-not-allowed", detail, typed);
  }

  #objection(
    grant: RuleIndex | undefined,
    typed: string,
    words: readonly string[],
    directory: string,
    files: HostFiles,
  ): Refusal {
    const detail = grant === undefined ? null : nearest(grant, typed, words, directory, files);
    return detail === null
      ? this.#refuse(
          "command-not-allowed",
          `${quoted(typed)} is not allowed by this host's own policy.`,
          typed,
        )
      : this.#refuse("argument-not-allowed", `This host's own policy: ${detail}`, typed);
  }

  #refuse(code: Refusal["code"], detail: string, typed: string): Refusal {
    const name = baseName(typed);
    const alike: string[] = [];
    const others: string[] = [];
    for (const usage of this.#usages) {
      if (alike.length >= MAX_USAGES) break;
      if (usage.called === name) alike.push(usage.text);
      else if (others.length < MAX_USAGES) others.push(usage.text);
    }
    return { outcome: "refuse", code, detail, usages: [...alike, ...others].slice(0, MAX_USAGES) };
  }
}

/** Of a local policy, the first rule that allows what would run: by whom and where is not for it to choose, only to refuse. */
function agreement(
  grant: RuleIndex,
  typed: string,
  words: readonly string[],
  run: Run,
  files: HostFiles,
): { rule: CommandRule; end: Place } | null {
  for (const candidate of grant.of(typed)?.candidates(words) ?? []) {
    const { rule } = candidate;
    if (rule.runAs !== run.rule.runAs || (rule.directory ?? run.directory) !== run.directory) continue;
    const named = namedProgram(rule.program, typed, files);
    if (named === null || named.program === null || !isSameFile(named.program, run.program, files)) continue;
    const { end } = walk(candidate, words, from(run.directory, files));
    if (end !== null) return { rule, end };
  }
  return null;
}

/** Two ways to a program may differ where one directory is a link to another, as /bin is to /usr/bin. */
function isSameFile(one: string, other: string | null, files: HostFiles): boolean {
  return (
    one === other || (other !== null && files.real(one) !== null && files.real(one) === files.real(other))
  );
}

/** What the nearest rules of a program have against some arguments; null when there are none of that program. */
function nearest(
  grant: RuleIndex,
  typed: string,
  words: readonly string[],
  home: string,
  files: HostFiles,
): string | null {
  const rules = (grant.of(typed)?.near(words) ?? []).filter(
    ({ rule }) => namedProgram(rule.program, typed, files) !== null,
  );
  if (rules.length === 0) return null;
  const walked = (rule: CompiledRule) => walk(rule, words, from(rule.rule.directory ?? home, files));
  return refusalDetail(
    typed,
    words,
    rules.map((rule) => ({ rule, walk: walked(rule) })),
  );
}

/** Paths as a program finds them that runs in this directory. */
function from(directory: string, files: HostFiles): (path: string) => string | null {
  return (path) => files.real(path.startsWith("/") ? path : `${directory === "/" ? "" : directory}/${path}`);
}

/** Of each argument that was found in directories, the longest; all of them hold it, so that it is in the others. */
function narrowest(ends: readonly Place[]): string[] {
  const found = new Map<number, string>();
  for (const end of ends)
    for (let place: Place | null = end; place !== null; place = place.before) {
      if (place.under === null) continue;
      const { index, directory } = place.under;
      if (directory.length > (found.get(index)?.length ?? 0)) found.set(index, directory);
    }
  return [...new Set(found.values())];
}

function least(limits: readonly (number | undefined)[]): number | null {
  const given = limits.filter((limit) => limit !== undefined);
  return given.length === 0 ? null : Math.min(...given);
}

/** What no program is given, whoever asks for it. */
function unfitArgument(argv: readonly string[]): string | null {
  if (argv.length > MAX_WORDS) return `There are more than ${MAX_WORDS} words; use fewer.`;
  for (const [index, word] of argv.entries()) {
    if (word.length > MAX_WORD)
      return `Argument ${index} is longer than ${MAX_WORD} characters; make it shorter.`;
    const unfit = word.includes("\t") ? { message: "There is a tab in a word; take it out." } : unfitIn(word);
    if (unfit !== null) return `Argument ${index}: ${unfit.message}`;
  }
  return null;
}

function quoted(text: string): string {
  return `\`${printable(text, 60)}\``;
}
