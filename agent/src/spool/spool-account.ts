import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { listRecordings } from "@sallyport/uplink/spool/layout.ts";

const SECTOR = 512;

/**
 * How many bytes of disk the recordings of this host take. Nothing is walked at a login: what has changed is told by
 * `changed`, measured by `measure`, and added up; `measureAll` walks, at the start and now and then.
 */
export class SpoolAccount {
  readonly #spool: string;
  readonly #rejected: string;
  #sizes = new Map<string, number>();
  readonly #changed = new Set<string>();
  #used = 0;

  constructor(spool: string, rejected: string) {
    this.#spool = spool;
    this.#rejected = rejected;
  }

  /** Bytes of the recordings that wait for upload or are set aside, as they were last measured. */
  get used(): number {
    return this.#used;
  }

  /** Bytes of one recording. */
  sizeOf(recording: string): number {
    return this.#sizes.get(recording) ?? 0;
  }

  /** A recording has grown, was moved, or is gone. */
  changed(recording: string): void {
    this.#changed.add(recording);
  }

  /** Measures what has changed; false when nothing has. */
  async measure(): Promise<boolean> {
    if (this.#changed.size === 0) return false;
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const recording of changed) this.#set(recording, await this.#measureOne(recording));
    return true;
  }

  /** Measures everything anew. */
  async measureAll(): Promise<void> {
    const aside = await readdir(this.#rejected).catch(() => []);
    const before = new Set(this.#sizes.keys());
    for (const recording of new Set([...listRecordings(this.#spool), ...aside])) {
      before.delete(recording);
      this.#set(recording, await this.#measureOne(recording));
    }
    for (const gone of before) this.changed(gone); // or begun meanwhile
    await this.measure();
  }

  async #measureOne(recording: string): Promise<number> {
    return (await sizeOf(join(this.#spool, recording))) + (await sizeOf(join(this.#rejected, recording)));
  }

  #set(recording: string, size: number): void {
    this.#used += size - this.sizeOf(recording);
    if (size === 0) this.#sizes.delete(recording);
    else this.#sizes.set(recording, size);
  }
}

/** What a directory and its files take; 0 when it is not there. Files may come and go while we look. */
async function sizeOf(directory: string): Promise<number> {
  const names = await readdir(directory).catch(() => []);
  const paths = [directory, ...names.map((name) => join(directory, name))];
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ blocks }) => blocks * SECTOR,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
