import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { SessionId } from "@sallyport/core/names.ts";
import { OWNER_FILE } from "@sallyport/uplink/spool/layout.ts";
import { z } from "zod";
import { bootId } from "../kernel/boot-id.ts";
import { isAlive, type ProcessIdentity } from "../kernel/processes.ts";

const Owner = z.object({ pid: z.int(), startTime: z.number(), boot: z.string().optional() });

/** An `owner` file of more bytes than this is none, and is not read. */
const MAX_OWNER = 4096;

/** Who writes a recording: a recorder of this boot. Start times count from the boot, so they alone say too little. */
export type Owner = z.infer<typeof Owner>;

/** What a recorder writes into the `owner` file of its recordings. */
export function ownerText({ pid, startTime }: ProcessIdentity): string {
  return JSON.stringify({ pid, startTime, boot: bootId() });
}

/** The owner of a recording, or null when the file is not there or makes no sense. */
export function readOwner(spool: string, recording: SessionId): Owner | null {
  try {
    const path = join(spool, recording, OWNER_FILE);
    if (statSync(path).size > MAX_OWNER) return null;
    return Owner.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
}

/** Why an owner writes no more, or null while it lives. */
export function lossOf(owner: Owner | null): "recorder-lost" | "rebooted" | null {
  if (owner?.boot !== undefined && owner.boot !== bootId()) return "rebooted";
  return owner !== null && isAlive(owner) ? null : "recorder-lost";
}
