import { existsSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import {
  type Revocation,
  RevocationIndex,
  type RevocationLookup,
  type RevocationSubject,
} from "@sallyport/core/policy/revocation.ts";
import { syncDirectory } from "@sallyport/uplink/spool/durable.ts";
import { ChainedList } from "./chained-list.ts";
import { SupersededEntries } from "./superseded-entries.ts";

/** Longer lists are not taken: as many as a bundle may have. */
const MAX_ENTRIES = 1_000_000;
/** Entries that are in force without being stored. */
const MAX_LOOSE = 10_000;

/** How the host's list stands to the one that a signed document names. `unknown`: that is too long ago to tell. */
export type Standing = "same" | "behind" | "differs" | "unknown";

/**
 * The revocation list on the host's disk. What takes access away is in force the moment it is known, whoever brought it; what gives
 * access back counts when a signed document names the list with it in, by its number and its chain.
 */
export class RevocationList implements RevocationLookup {
  readonly #path: string;
  #current: ChainedList;
  /** A whole list on its way, and its directory entry. */
  #whole: ChainedList | undefined;
  /** What lists before this one had; in force until this one is signed for. */
  readonly #superseded: SupersededEntries;
  /** In force and not stored: the disk is full, or entries before them are missing. */
  readonly #loose = new RevocationIndex();

  /**
   * The entries up to this number count here already by what somebody has signed, list or no list: they are not put in force one by
   * one while the list comes, or who was let in again since would be thrown out.
   */
  known = 0;

  /** `now`: seconds since the epoch. */
  constructor(path: string, now: () => number = () => Date.now() / 1000) {
    this.#path = path;
    this.#current = new ChainedList(path);
    this.#superseded = new SupersededEntries(`${path}.old`, now);
  }

  /** Reads what is stored; writes nothing. At the marked numbers the chain is known however long the list is. */
  load(marks: Iterable<number> = []): void {
    this.#current.mark(marks);
    for (const entry of this.#current.load()) this.#loose.narrow(entry);
    this.#superseded.load();
  }

  /** The number up to which it is here without a gap, stored. */
  get sequence(): number {
    return this.#current.sequence;
  }

  get chain(): string {
    return this.#current.chain;
  }

  /** How many targets stand in it. */
  get size(): number {
    return this.#current.table.size + this.#superseded.size + this.#loose.size;
  }

  /** Entries that give something back and are not signed for, and entries of a list before this one. */
  get unvouched(): number {
    return this.#current.waiting + this.#superseded.size;
  }

  /** Up to where a whole list has come that is on its way; undefined when none is. */
  get wholeSequence(): number | undefined {
    return this.#whole?.sequence;
  }

  standing({ sequence, chain }: { sequence: number; chain: string }): Standing {
    if (sequence > this.sequence) return "behind";
    const ours = this.#current.chainAt(sequence);
    if (ours === undefined) return "unknown";
    return ours === chain ? "same" : "differs";
  }

  find(subject: RevocationSubject): Revocation | undefined {
    return (
      this.#current.find(subject) ??
      this.#whole?.find(subject, this.#settled) ??
      this.#superseded.find(subject) ??
      this.#loose.find(subject)
    );
  }

  /**
   * Puts new entries in force, as far as they take something away, before anything is stored or known of what is before them. Those
   * with a number that the host has been beyond change nothing: what they took may have been given back.
   */
  narrow(entries: readonly Revocation[]): void {
    for (const entry of entries)
      if (entry.sequence > this.#settled && this.#loose.size < MAX_LOOSE) this.#loose.narrow(entry);
  }

  /** Adds the entries that follow the last one. Throws where they cannot be stored: then `narrow` is all there is of them. */
  append(entries: readonly Revocation[]): void {
    if (entries.length === 0) return;
    refuseTooMany(this.sequence + entries.length);
    this.#current.append(entries);
    this.#settleLoose();
  }

  /** A whole list is about to come. */
  beginWhole(): void {
    this.abandonWhole();
    this.#whole = new ChainedList(`${this.#path}.new`);
    this.#whole.file.remove(); // of an agent before us
    this.#whole.mark([this.sequence]);
  }

  /** Adds what follows of the whole list; its entries beyond what the host had are in force at once. Throws as {@link append}. */
  appendWhole(entries: readonly Revocation[]): void {
    const whole = this.#whole;
    if (whole === undefined || entries.length === 0) return;
    refuseTooMany(whole.sequence + entries.length);
    whole.append(entries, true);
  }

  /** The whole list is here, and takes the place of the one before. Throws where that cannot be stored: nothing changes. */
  completeWhole(): void {
    const whole = this.#whole;
    if (whole === undefined) return;
    if (this.sequence > 0 && whole.chainAt(this.sequence) === this.chain) {
      // The same list, and perhaps more of it.
      const more: Revocation[] = [];
      for (const { entry } of whole.file.read()) if (entry.sequence > this.sequence) more.push(entry);
      this.append(more);
      this.abandonWhole();
    } else {
      this.supersede(this.#inForce());
      this.#replace(whole);
    }
    this.#settleLoose();
  }

  abandonWhole(): void {
    this.#whole?.file.remove();
    this.#whole = undefined;
  }

  /** Lets go of its files. */
  close(): void {
    this.#current.file.close();
    this.#whole?.file.close();
    this.#superseded.close();
  }

  /** These stay in force until the list is signed for. Throws where they cannot be stored. */
  supersede(entries: Iterable<Revocation>): void {
    this.#superseded.add(entries);
  }

  /**
   * A signed document names this list at that number, with the right chain. `newest`: none that was signed later is known. Says
   * whether anything was given back.
   */
  vouch(sequence: number, issuedAt: number, newest: boolean): boolean {
    const lifted = this.#current.vouch(sequence);
    // One that was signed before the newest of them was made does not say that it is gone.
    if (this.#superseded.size === 0 || !newest || issuedAt <= this.#superseded.latest) return lifted;
    this.#superseded.drop();
    return true;
  }

  /** The entries of a level that count and were made after a moment, of whatever list. */
  *entriesOf(level: "certificate" | "key", since: number): Iterable<Revocation> {
    yield* this.#current.entriesOf(level, since);
    yield* this.#superseded.entriesOf(level, since);
    for (const entry of this.#loose.entries()) if (entry.level === level && entry.at > since) yield entry;
  }

  get #settled(): number {
    return Math.max(this.sequence, this.known);
  }

  *#inForce(): Iterable<Revocation> {
    for (const { entry } of this.#current.inForce()) yield entry;
    yield* this.#loose.entries();
  }

  #replace(whole: ChainedList): void {
    whole.file.ensure();
    this.#current.file.close();
    renameSync(whole.file.path, this.#path);
    syncDirectory(dirname(this.#path));
    whole.file.path = this.#path;
    this.#current = whole;
    this.#whole = undefined;
  }

  #settleLoose(): void {
    if (this.#loose.size > 0) this.#loose.drop((entry) => entry.sequence <= this.sequence);
  }
}

/** The files of a list; for whoever removes it. */
export function revocationFiles(path: string): string[] {
  return [path, `${path}.new`, `${path}.old`].filter((file) => existsSync(file));
}

function refuseTooMany(count: number): void {
  if (count > MAX_ENTRIES)
    throw new SallyportError("message-too-large", `A revocation list of ${count} entries is over the limit.`);
}
