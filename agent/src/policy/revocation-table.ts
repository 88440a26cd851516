import {
  narrows,
  type Revocation,
  type RevocationLevel,
  type RevocationSubject,
  reaches,
  revocationTargets,
} from "@sallyport/core/policy/revocation.ts";
import { hashTarget, levelNumber } from "./target-hash.ts";

const FIRST_ROOM = 64;
/** More of the index is never in use: beyond, looking through it gets slow. */
const FULLEST = 0.6;
const FOR_GOOD = Number.POSITIVE_INFINITY;

/** What of an entry goes into the table. */
export type Placed = Pick<Revocation, "level" | "target" | "sequence" | "before" | "at">;

/** What is kept of an entry in memory: a decision needs no more. */
export interface Stood extends Pick<Revocation, "sequence" | "before" | "at"> {
  /** Where the whole entry stands in its file, in bytes. */
  offset: number;
}

/**
 * Which entry counts for each target, for lists of hundreds of thousands: a target is 96 bits of hash, and the rest stands in arrays of
 * numbers, so that loading a list leaves nothing for the garbage collector to go through. About 50 bytes an entry.
 */
export class RevocationTable {
  /** Open addressing: slot + 1, or 0. Its length is a power of two. */
  #index = new Uint32Array(FIRST_ROOM * 2);
  #hashes = new Uint32Array(FIRST_ROOM * 3);
  #levels = new Uint8Array(FIRST_ROOM);
  #sequences = new Uint32Array(FIRST_ROOM);
  #befores = new Float64Array(FIRST_ROOM);
  #moments = new Float64Array(FIRST_ROOM);
  #offsets = new Float64Array(FIRST_ROOM);
  #size = 0;
  readonly #hash = new Uint32Array(3);

  /** Makes room for so many targets at once: pages that are never written to cost nothing, growing step by step does. */
  reserve(targets: number): void {
    const room = Math.ceil(targets);
    if (room <= this.#levels.length) return;
    this.#resize(room);
    let length = this.#index.length;
    while (room > length * FULLEST) length *= 2;
    this.#rebuildIndex(length);
  }

  /** How many targets stand in it. */
  get size(): number {
    return this.#size;
  }

  get(level: RevocationLevel, target: string): Stood | undefined {
    hashTarget(levelNumber(level), target, this.#hash);
    const slot = this.#index[this.#place()] ?? 0;
    return slot === 0 ? undefined : this.#at(slot - 1);
  }

  /** From now on this one counts for its target. */
  set({ level, target, sequence, before, at }: Placed, offset: number): void {
    const number = levelNumber(level);
    hashTarget(number, target, this.#hash);
    const slot = this.#slot(number);
    this.#sequences[slot] = sequence;
    this.#befores[slot] = before ?? FOR_GOOD;
    this.#moments[slot] = at;
    this.#offsets[slot] = offset;
  }

  /** Like {@link set}, but only where it takes more than what counted so far. */
  narrow(entry: Placed, offset: number): void {
    const known = this.get(entry.level, entry.target);
    if (known === undefined || narrows(entry, known)) this.set(entry, offset);
  }

  /** The entry that ends this login or session, among those with a higher number than `after`. */
  find(subject: RevocationSubject, after = 0): (Placed & Stood) | undefined {
    if (this.#size === 0) return undefined;
    for (const { level, target } of revocationTargets(subject)) {
      const stood = this.get(level, target);
      if (stood !== undefined && stood.sequence > after && reaches(stood, subject.signedInAt))
        return { ...stood, level, target };
    }
    return undefined;
  }

  /** The entries of one level that count. */
  *of(level: RevocationLevel): Iterable<Stood> {
    const number = levelNumber(level);
    for (let slot = 0; slot < this.#size; slot++) if (this.#levels[slot] === number) yield this.#at(slot);
  }

  #at(slot: number): Stood {
    const before = this.#befores[slot] ?? FOR_GOOD;
    return {
      sequence: this.#sequences[slot] ?? 0,
      before: before === FOR_GOOD ? null : before,
      at: this.#moments[slot] ?? 0,
      offset: this.#offsets[slot] ?? 0,
    };
  }

  /** Where the target whose hash is in `#hash` stands in the index, or would. */
  #place(): number {
    const mask = this.#index.length - 1;
    const [a, b, c] = this.#hash;
    for (let place = (a ?? 0) & mask; ; place = (place + 1) & mask) {
      const slot = this.#index[place] ?? 0;
      const first = (slot - 1) * 3;
      if (
        slot === 0 ||
        (this.#hashes[first] === a && this.#hashes[first + 1] === b && this.#hashes[first + 2] === c)
      )
        return place;
    }
  }

  #slot(level: number): number {
    const place = this.#place();
    const known = this.#index[place] ?? 0;
    if (known !== 0) return known - 1;
    if (this.#size === this.#levels.length) this.#resize(Math.ceil(this.#size * 1.5));
    const slot = this.#size++;
    this.#hashes.set(this.#hash, slot * 3);
    this.#levels[slot] = level;
    this.#index[place] = slot + 1;
    if (this.#size > this.#index.length * FULLEST) this.#rebuildIndex(this.#index.length * 2);
    return slot;
  }

  #resize(room: number): void {
    this.#hashes = grown(this.#hashes, new Uint32Array(room * 3));
    this.#levels = grown(this.#levels, new Uint8Array(room));
    this.#sequences = grown(this.#sequences, new Uint32Array(room));
    this.#befores = grown(this.#befores, new Float64Array(room));
    this.#moments = grown(this.#moments, new Float64Array(room));
    this.#offsets = grown(this.#offsets, new Float64Array(room));
  }

  #rebuildIndex(length: number): void {
    this.#index = new Uint32Array(length);
    const mask = this.#index.length - 1;
    for (let slot = 0; slot < this.#size; slot++) {
      let place = (this.#hashes[slot * 3] ?? 0) & mask;
      while (this.#index[place] !== 0) place = (place + 1) & mask;
      this.#index[place] = slot + 1;
    }
  }
}

function grown<T extends { set(from: T): void }>(from: T, into: T): T {
  into.set(from);
  return into;
}
