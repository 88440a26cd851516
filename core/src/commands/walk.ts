import type { CompiledFlag } from "./compiled-flag.ts";
import type { CompiledRule } from "./compiled-rule.ts";
import type { CompiledValue, Resolve } from "./compiled-value.ts";

/** Steps that a rule may take over the arguments of one command; more are needed only by rules made for that. */
const MAX_WORK = 100_000;
/** More than `repeated` may count to, and than a rule may have flags. */
const [COUNTS, FLAGS] = [1001, 102];

/** Where in a rule one may be, after some arguments. */
export interface Place {
  /** The next of the rule's steps; past the last one nothing more is to come. */
  step: number;
  /** How often a `repeat` step was taken. */
  count: number;
  /** Whether flags are still flags: until `--`. */
  open: boolean;
  /** The flag that waits for its value. */
  waiting: CompiledFlag | null;
  /** How one came here, and the argument that was found in a directory on the way. */
  before: Place | null;
  under: { index: number; directory: string } | null;
}

/** One of the arguments, and how many there are in all. */
interface Asked {
  word: string;
  index: number;
  total: number;
  resolve: Resolve;
}

/** How far a rule goes with the arguments of a command. */
export interface Walk {
  /** The place where all is taken and nothing is missing. */
  end: Place | null;
  /** How many arguments were taken. */
  taken: number;
  /** Where one may be after those. */
  places: readonly Place[];
}

/**
 * Goes through a rule with all its alternatives side by side, and so in time that is bounded by the arguments times the places
 * of the rule. An argument is a flag, the value of a flag, or what the rule's next argument asks for.
 */
export function walk(rule: CompiledRule, words: readonly string[], resolve: Resolve): Walk {
  let places = begin(rule);
  let work = 0;
  for (let index = 0; index < words.length; index++) {
    const next = new Places(rule);
    const asked = { word: words[index] ?? "", index, total: words.length, resolve };
    for (const place of places) take(rule, place, asked, next);
    work += places.length * (asked.word.startsWith("-") ? rule.flags.length + 1 : 1) + next.list.length;
    if (next.list.length === 0 || work > MAX_WORK) return { end: null, taken: index, places };
    places = next.list;
  }
  const end = places.find(({ step, waiting }) => step === rule.steps.length && waiting === null) ?? null;
  return { end, taken: words.length, places };
}

const beginnings = new WeakMap<CompiledRule, readonly Place[]>();

/** Where one may be before the first argument. */
function begin(rule: CompiledRule): readonly Place[] {
  let places = beginnings.get(rule);
  if (places === undefined) {
    const first = new Places(rule);
    first.add({ step: 0, count: 0, open: true, waiting: null, before: null, under: null });
    places = first.list;
    beginnings.set(rule, places);
  }
  return places;
}

/** Adds the places that are reached from one by taking an argument, in whatever way. */
function take(rule: CompiledRule, place: Place, asked: Asked, next: Places): void {
  const { word, total } = asked;
  if (place.waiting !== null) {
    const how = fits(place.waiting.value, word, false, place, asked);
    if (how !== null) next.add({ ...place, waiting: null, ...how });
    return;
  }
  const open = place.open && word !== "--";
  if (place.open && word.startsWith("-"))
    for (const flag of rule.flags) {
      if (flag.value === null && word === flag.flag) next.add({ ...place, open, before: place, under: null });
      if (flag.separate && word === flag.flag)
        next.add({ ...place, waiting: flag, before: place, under: null });
      const joined = joinedValue(flag, word);
      const how = joined === null ? null : fits(flag.value, joined, true, place, asked);
      if (how !== null) next.add({ ...place, ...how });
    }
  const step = rule.steps[place.step];
  if (step === undefined || step.kind === "fork") return;
  if (step.kind === "rest") {
    next.add({ ...place, open, before: place, under: null });
    return;
  }
  const how = fits(step.value, word, false, place, asked);
  if (how === null) return;
  if (step.kind === "value") next.add({ step: place.step + 1, count: 0, open, waiting: null, ...how });
  // Where all arguments together cannot be too many, it does not matter how many there were beyond what is needed.
  else
    next.add({
      ...place,
      count: step.to >= total ? Math.min(place.count + 1, step.from) : place.count + 1,
      open,
      ...how,
    });
}

/** How one goes on from a place with a text that a value takes; null where it does not. */
function fits(
  value: CompiledValue | null,
  text: string,
  joined: boolean,
  place: Place,
  { index, resolve }: Asked,
): Pick<Place, "before" | "under"> | null {
  const found = value?.fits(text, joined, resolve) ?? false;
  if (found === false) return null;
  return { before: place, under: found === true ? null : { index, directory: found } };
}

/** What stands behind a flag in the same argument; null where nothing may, or it is another argument. */
function joinedValue({ prefix, flag }: CompiledFlag, word: string): string | null {
  if (prefix === null || !word.startsWith(prefix)) return null;
  // `-n` alone waits for its value; `--lines=` and `-lines=` have an empty one.
  return word === flag && !flag.endsWith("=") ? null : word.slice(prefix.length);
}

/** Places without repetition, each with those that are reached from it without an argument. */
class Places {
  readonly list: Place[] = [];
  readonly #rule: CompiledRule;
  #known: Set<number> | undefined;

  constructor(rule: CompiledRule) {
    this.#rule = rule;
  }

  add(place: Place): void {
    const waiting = place.waiting === null ? 0 : this.#rule.flags.indexOf(place.waiting) + 1;
    const key = ((place.step * COUNTS + place.count) * 2 + (place.open ? 1 : 0)) * FLAGS + waiting;
    this.#known ??= new Set();
    if (this.#known.has(key)) return;
    this.#known.add(key);
    if (place.waiting !== null) {
      this.list.push(place);
      return;
    }
    const step = this.#rule.steps[place.step];
    const onwards = (to: number) => this.add({ ...place, step: to, count: 0 });
    const isFull = step?.kind === "repeat" && place.count >= step.to;
    if (step?.kind !== "fork" && !isFull) this.list.push(place);
    if (step?.kind === "fork") onwards(step.otherwise);
    const mayEnd = step?.kind === "repeat" && place.count >= step.from;
    if (step?.kind === "fork" || step?.kind === "rest" || mayEnd) onwards(place.step + 1);
  }
}
