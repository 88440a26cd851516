import { type StatsFs, statfsSync } from "node:fs";
import type { SpoolAccount } from "./spool-account.ts";

const MIB = 1024 * 1024;
/** Room that closing a recording needs at least: its last blocks and its end. */
const ROOM_TO_CLOSE = 256 * 1024;

/** The limits of `agent.yaml`: bytes, and inodes. */
export interface SpoolLimits {
  /** Free bytes and inodes of the file system that a login needs, so that running sessions can go on. */
  reserve: number;
  inodes: number;
  /** What recordings may take altogether. */
  limit: number;
}

/** Limits as `agent.yaml` has them, in MiB. */
export function spoolLimits(config: {
  diskReserve: number;
  inodeReserve: number;
  spoolLimit: number;
}): SpoolLimits {
  return {
    reserve: config.diskReserve * MIB,
    inodes: config.inodeReserve,
    limit: config.spoolLimit * MIB,
  };
}

/** What lacks, with figures for the log; null when nothing does. */
export type Shortage = string | null;

/** Says whether there is room for another session; for each login anew, by one call of statfs(2). */
export class SpoolSpace {
  readonly #path: string;
  readonly #limits: SpoolLimits;
  readonly #account: Pick<SpoolAccount, "used">;

  constructor(path: string, limits: SpoolLimits, account: Pick<SpoolAccount, "used">) {
    this.#path = path;
    this.#limits = limits;
    this.#account = account;
  }

  /** Why no login may be admitted. A file system that cannot be asked has no room. */
  get shortage(): Shortage {
    const { reserve, inodes, limit } = this.#limits;
    const { used } = this.#account;
    if (used >= limit) return `recordings take ${mebibytes(used)}, spoolLimit is ${mebibytes(limit)}`;
    const room = this.#room();
    if (room instanceof Error) return String(room);
    if (room.bytes < reserve)
      return `${mebibytes(room.bytes)} are free, diskReserve is ${mebibytes(reserve)}`;
    if (room.inodes < inodes) return `${room.inodes} inodes are free, inodeReserve is ${inodes}`;
    return null;
  }

  /** The limit is passed by more than the reserve: running sessions have used it up. */
  get overdrawn(): boolean {
    return this.#account.used >= this.#limits.limit + this.#limits.reserve;
  }

  /** Enough for a recording to be closed. */
  get roomToClose(): boolean {
    const room = this.#room();
    return !(room instanceof Error) && room.bytes >= ROOM_TO_CLOSE && room.inodes > 0;
  }

  #room(): { bytes: number; inodes: number } | Error {
    let stats: StatsFs;
    try {
      stats = statfsSync(this.#path);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
    // File systems that make inodes as they are needed (btrfs) say that they have none at all.
    const inodes = stats.files === 0 ? Number.POSITIVE_INFINITY : stats.ffree;
    return { bytes: stats.bavail * stats.bsize, inodes };
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
