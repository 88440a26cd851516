import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { BLOCKS_FILE, listRecordings } from "@sallyport/uplink/spool/layout.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export interface AgeContext {
  spool: string;
  rejected: string;
  kept: string;
  /** Days. */
  spoolAge: number;
  /** Hours. */
  localRetention: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** So many recordings are not uploaded although nothing was added to them for `spoolAge`; the oldest of them. */
  onOverdue(count: number, oldest: string): void;
  /** A recording that had been set aside for `spoolAge` was removed. */
  onExpired(name: string): void;
}

/** Looks for recordings that have been here for too long. Only stored ones and those set aside are ever removed. */
export class SpoolAge {
  readonly #context: AgeContext;
  #told = Number.NEGATIVE_INFINITY;

  constructor(context: AgeContext) {
    this.#context = context;
  }

  /** One look; overdue recordings are told once a day at most. */
  async look(): Promise<void> {
    const { kept, rejected, localRetention, spoolAge, onExpired } = this.#context;
    await this.#remove(kept, localRetention * HOUR, () => {});
    await this.#remove(rejected, spoolAge * DAY, onExpired);
    await this.#tellOverdue();
  }

  /** Makes room: removes everything that the control plane has. True when there was something. */
  async removeKept(): Promise<boolean> {
    return this.#remove(this.#context.kept, Number.NEGATIVE_INFINITY, () => {});
  }

  async #tellOverdue(): Promise<void> {
    const { spool, spoolAge, now, onOverdue } = this.#context;
    if (now() - this.#told < DAY) return;
    const overdue: string[] = [];
    for (const recording of listRecordings(spool)) {
      const blocks = await stat(join(spool, recording, BLOCKS_FILE)).catch(() => undefined);
      if (blocks !== undefined && now() - blocks.mtimeMs > spoolAge * DAY) overdue.push(recording);
    }
    const [oldest] = overdue;
    if (oldest === undefined) return;
    this.#told = now();
    onOverdue(overdue.length, oldest);
  }

  /** Moving a directory sets the time of its inode's change, so that is how long it has been where it is. */
  async #remove(directory: string, age: number, onRemoved: (name: string) => void): Promise<boolean> {
    let removed = false;
    for (const name of await readdir(directory).catch(() => [])) {
      const path = join(directory, name);
      const since = await stat(path).catch(() => undefined);
      if (since === undefined || this.#context.now() - since.ctimeMs < age) continue;
      await rm(path, { recursive: true, force: true });
      removed = true;
      onRemoved(name);
    }
    return removed;
  }
}
