import { SallyportError } from "@sallyport/core/errors.ts";
import {
  narrows,
  type Revocation,
  type RevocationLevel,
  type RevocationSubject,
} from "@sallyport/core/policy/revocation.ts";
import { lineOf, RevocationFile } from "./revocation-file.ts";
import { RevocationTable } from "./revocation-table.ts";

/** Lines in the file: what is sent list after list must not fill the disk. */
const MAX_LINES = 1_000_000;
/** Lines that are written at once. */
const AT_ONCE = 2000;
/** An entry that is here was made by now, give or take this, in seconds: one of a far future would else be in force for good. */
const AHEAD = 3600;

/**
 * What was in force by a list that another one has taken the place of, in a file. Of several entries of a target the one that takes
 * most counts. It stays in force until somebody has signed for the new list.
 */
export class SupersededEntries {
  readonly #file: RevocationFile;
  readonly #now: () => number;
  #table = new RevocationTable();
  #latest = 0;
  #lines = 0;

  /** `now`: seconds since the epoch. */
  constructor(path: string, now: () => number) {
    this.#file = new RevocationFile(path);
    this.#now = now;
  }

  get size(): number {
    return this.#table.size;
  }

  /** When the newest of them was made, in seconds since the epoch: what was signed before knows nothing of it. */
  get latest(): number {
    return this.#latest;
  }

  load(): void {
    // Damage costs what was damaged: the host's lease does not count before its list is the one that is signed for.
    for (const { entry, offset } of this.#file.read()) if (offset >= 0) this.#add(entry, offset);
  }

  /**
   * Adds entries, but those that change nothing; on the disk and in force when it returns. Throws where they cannot be stored: some
   * of them may be in force then.
   */
  add(entries: Iterable<Revocation>): void {
    let some: Revocation[] = [];
    for (const entry of entries) {
      const timely = { ...entry, at: Math.min(entry.at, Math.floor(this.#now()) + AHEAD) };
      const known = this.#table.get(entry.level, entry.target);
      if (known === undefined || !narrows(known, entry) || timely.at > this.#latest) some.push(timely);
      if (some.length < AT_ONCE) continue;
      this.#append(some);
      some = [];
    }
    if (some.length > 0) this.#append(some);
  }

  find(subject: RevocationSubject): Revocation | undefined {
    // Whatever number it has: those that somebody made up may be beyond what the table can hold.
    const found = this.#table.find(subject, -1);
    return found && this.#file.entryOf(found);
  }

  /** The entries of a level that count and were made after a moment. */
  *entriesOf(level: RevocationLevel, since: number): Iterable<Revocation> {
    for (const stood of this.#table.of(level)) {
      const entry = stood.at > since ? this.#file.entryAt(stood.offset) : undefined;
      if (entry?.level === level) yield entry;
    }
  }

  close(): void {
    this.#file.close();
  }

  /** Forgets them all. */
  drop(): void {
    this.#table = new RevocationTable();
    this.#latest = 0;
    this.#lines = 0;
    this.#file.remove();
  }

  #append(entries: readonly Revocation[]): void {
    if (this.#lines + entries.length > MAX_LINES)
      throw new SallyportError(
        "message-too-large",
        "Too many lists of revocations that nobody has signed for.",
      );
    const offsets = this.#file.append(entries.map(lineOf));
    for (const [index, entry] of entries.entries()) this.#add(entry, offsets[index] ?? 0);
  }

  #add(entry: Revocation, offset: number): void {
    this.#lines++;
    this.#table.narrow(entry, offset);
    this.#latest = Math.max(this.#latest, entry.at);
  }
}
