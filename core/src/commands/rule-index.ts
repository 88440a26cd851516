import type { CommandRule } from "./command-rule.ts";
import { type CompiledRule, compileRule } from "./compiled-rule.ts";

/** Most rules that are looked at to say what might have been meant. */
const MAX_NEAR = 24;

/** The last part of a path; a name itself. */
export function baseName(program: string): string {
  return program.slice(program.lastIndexOf("/") + 1);
}

/** The rules of a grant, found by program and arguments without looking at the others. */
export class RuleIndex {
  readonly rules: readonly CompiledRule[];
  readonly #programs = new Map<string, ProgramIndex>();

  constructor(rules: readonly CommandRule[]) {
    this.rules = rules.map(compileRule);
    for (const [name, group] of Map.groupBy(this.rules, ({ rule }) => baseName(rule.program)))
      this.#programs.set(name, new ProgramIndex(group));
  }

  /** The rules whose program has the last part of this path. */
  of(program: string): ProgramIndex | undefined {
    return this.#programs.get(baseName(program));
  }
}

/** Rules whose programs are called alike. */
export class ProgramIndex {
  readonly rules: readonly CompiledRule[];
  /** Rules by each word that has to be there, of the argument of theirs that tells most. */
  readonly #telling = new Map<string, CompiledRule[]>();
  /** Rules without such an argument. */
  readonly #others: CompiledRule[] = [];
  /** Rules by every word that is in one of their mandatory arguments. */
  readonly #mentions = new Map<string, CompiledRule[]>();

  constructor(rules: readonly CompiledRule[]) {
    this.rules = rules;
    for (const rule of rules)
      for (const word of new Set(rule.mandatory.flat())) add(this.#mentions, word, rule);
    const commonness = (words: readonly string[]) =>
      words.reduce((sum, word) => sum + (this.#mentions.get(word)?.length ?? 0), 0);
    for (const rule of rules) {
      const [first, ...more] = rule.mandatory;
      if (first === undefined) {
        this.#others.push(rule);
        continue;
      }
      let [best, least] = [first, commonness(first)];
      for (const words of more) {
        const sum = commonness(words);
        if (sum < least) [best, least] = [words, sum];
      }
      for (const word of new Set(best)) add(this.#telling, word, rule);
    }
  }

  /** All rules that these arguments might fit, in their order: none that is left out can fit. */
  candidates(words: readonly string[]): readonly CompiledRule[] {
    const found = new Set<CompiledRule>();
    for (const word of words) for (const rule of this.#telling.get(word) ?? []) found.add(rule);
    if (found.size === 0) return this.#others;
    return [...found, ...this.#others].sort((a, b) => a.order - b.order);
  }

  /** Some rules that may have been meant. */
  near(words: readonly string[]): CompiledRule[] {
    const found = new Set<CompiledRule>();
    const fill = (some: readonly CompiledRule[]) => {
      for (let at = 0; at < some.length && found.size < MAX_NEAR; at++) {
        const rule = some[at];
        if (rule !== undefined) found.add(rule);
      }
    };
    for (const word of words) fill(this.#mentions.get(word) ?? []);
    fill(this.#others);
    fill(this.rules);
    return [...found].sort((a, b) => a.order - b.order);
  }
}

function add(to: Map<string, CompiledRule[]>, word: string, rule: CompiledRule): void {
  const some = to.get(word);
  if (some === undefined) to.set(word, [rule]);
  else some.push(rule);
}
