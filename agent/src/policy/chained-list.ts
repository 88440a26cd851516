import { hash } from "node:crypto";
import {
  narrows,
  type Revocation,
  type RevocationLevel,
  type RevocationSubject,
} from "@sallyport/core/policy/revocation.ts";
import { EMPTY_REVOCATION_CHAIN } from "@sallyport/core/policy/revocation-chain.ts";
import { lineOf, RevocationFile, type StoredEntry } from "./revocation-file.ts";
import { type Placed, RevocationTable } from "./revocation-table.ts";

/** So many of the newest chains are known; more than the entries of one message, for a document may name one in its middle. */
const CHAINS = 4096;
/** An entry takes about this much of the file, or more. */
const ENTRY_BYTES = 180;
/** Of SHA-256, in bytes. */
const CHAIN_LENGTH = 32;

/** An entry that gives something back, and that nobody has vouched for yet. */
type Lift = Placed & { offset: number };

/**
 * One list of revocations from its first number on, in a file: what counts for each target, the chain, and the entries that give
 * something back and wait until they are vouched for. `believing`: they need not wait, for the list takes nothing that another had.
 */
export class ChainedList {
  readonly file: RevocationFile;
  readonly table = new RevocationTable();
  /** The newest chains, one after the other and round again. */
  readonly #chains = Buffer.alloc(CHAINS * CHAIN_LENGTH);
  #sequence = 0;
  #chain = EMPTY_REVOCATION_CHAIN;
  #lifts: Lift[] = [];
  /** Numbers at which the chain is to be known whatever comes later. */
  readonly #marked = new Map<number, string | undefined>();

  constructor(path: string) {
    this.file = new RevocationFile(path);
  }

  /** The number of its last entry. */
  get sequence(): number {
    return this.#sequence;
  }

  get chain(): string {
    return this.#chain;
  }

  /** Entries that wait to be vouched for. */
  get waiting(): number {
    return this.#lifts.length;
  }

  /** The chain at a number; undefined where that is too long ago, or to come. */
  chainAt(sequence: number): string | undefined {
    if (sequence === 0) return EMPTY_REVOCATION_CHAIN;
    if (sequence > this.#sequence || sequence <= this.#sequence - CHAINS) return this.#marked.get(sequence);
    const at = (sequence % CHAINS) * CHAIN_LENGTH;
    return this.#chains.toString("base64url", at, at + CHAIN_LENGTH);
  }

  /** Chains at these numbers are kept however many entries follow. */
  mark(sequences: Iterable<number>): void {
    for (const sequence of sequences) this.#marked.set(sequence, undefined);
  }

  /** Reads its file; what stands behind a damage there is given back: it is in force, and no part of the list. */
  load(): Revocation[] {
    const loose: Revocation[] = [];
    this.table.reserve(this.file.bytes / ENTRY_BYTES);
    for (const stored of this.file.read()) {
      if (loose.length === 0 && stored.offset >= 0 && stored.entry.sequence === this.#sequence + 1) {
        this.#add(stored, false);
        continue;
      }
      if (loose.length === 0 && stored.offset >= 0) this.file.cutAt(stored.offset);
      loose.push(stored.entry);
    }
    return loose;
  }

  /** Adds the entries that follow; on the disk and in force when it returns. Throws where they cannot be stored: nothing changes. */
  append(entries: readonly Revocation[], believing = false): void {
    const lines = entries.map(lineOf);
    const offsets = this.file.append(lines);
    for (const [index, entry] of entries.entries())
      this.#add({ entry, line: lines[index] ?? "", offset: offsets[index] ?? 0 }, believing);
  }

  /** Somebody has signed for the list up to this number. Says whether anything is given back by that. */
  vouch(sequence: number): boolean {
    const [before, lifts] = [this.#lifts.length, this.#lifts];
    this.#lifts = [];
    for (const lift of lifts) {
      const known = this.table.get(lift.level, lift.target);
      if (known !== undefined && known.sequence > lift.sequence) continue;
      // One that is not vouched for may take more than what counts now: then it is no lift any more.
      if (lift.sequence <= sequence || known === undefined || narrows(lift, known))
        this.table.set(lift, lift.offset);
      else this.#lifts.push(lift);
    }
    return this.#lifts.length < before;
  }

  find(subject: RevocationSubject, after = 0): Revocation | undefined {
    const found = this.table.find(subject, after);
    return found && this.file.entryOf(found);
  }

  /** The entries of a level that count and were made after a moment. */
  *entriesOf(level: RevocationLevel, since: number): Iterable<Revocation> {
    for (const stood of this.table.of(level)) {
      const entry = stood.at > since ? this.file.entryAt(stood.offset) : undefined;
      if (entry?.level === level) yield entry;
    }
  }

  /** The lines of the entries that count, in order. */
  *inForce(): Iterable<StoredEntry> {
    for (const stored of this.file.read())
      if (this.table.get(stored.entry.level, stored.entry.target)?.offset === stored.offset) yield stored;
  }

  #add({ entry, line, offset }: StoredEntry, believing: boolean): void {
    this.#sequence = entry.sequence;
    // `chainRevocation`, of the text that is stored.
    this.#chain = hash("sha256", `${this.#chain}\n${line}`, "base64url");
    this.#chains.write(this.#chain, (this.#sequence % CHAINS) * CHAIN_LENGTH, "base64url");
    if (this.#marked.has(this.#sequence)) this.#marked.set(this.#sequence, this.#chain);
    const known = this.table.get(entry.level, entry.target);
    if (believing || known === undefined || narrows(entry, known)) this.table.set(entry, offset);
    else {
      const { level, target, sequence, before, at } = entry;
      this.#lifts.push({ level, target, sequence, before, at, offset });
    }
  }
}
