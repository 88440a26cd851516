import type { Revocation, RevocationLevel, RevocationSubject } from "@sallyport/core/policy/revocation.ts";
import { lineOf, RevocationFile } from "./revocation-file.ts";
import { RevocationTable } from "./revocation-table.ts";

/**
 * What was in force by a list that another one has taken the place of, in a file. Of several entries of a target the one that takes
 * most counts. It stays in force until somebody has signed for the new list.
 */
export class SupersededEntries {
  readonly #file: RevocationFile;
  #table = new RevocationTable();
  #latest = 0;

  constructor(path: string) {
    this.#file = new RevocationFile(path);
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

  /** Adds entries; on the disk and in force when it returns. Throws where they cannot be stored. */
  add(entries: Iterable<Revocation>): void {
    const added = [...entries];
    if (added.length === 0) return;
    const offsets = this.#file.append(added.map(lineOf));
    for (const [index, entry] of added.entries()) this.#add(entry, offsets[index] ?? 0);
  }

  find(subject: RevocationSubject): Revocation | undefined {
    const found = this.#table.find(subject);
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
    this.#file.remove();
  }

  #add(entry: Revocation, offset: number): void {
    this.#table.narrow(entry, offset);
    this.#latest = Math.max(this.#latest, entry.at);
  }
}
