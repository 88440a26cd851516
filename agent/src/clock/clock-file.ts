import { existsSync, readFileSync } from "node:fs";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { z } from "zod";

/** What the host knows of the time, kept across restarts and reboots. Seconds. */
export const ClockRecord = z.strictObject({
  v: z.literal(1),
  /** It has been this late. */
  latest: z.number().min(0),
  /** The newest time that a pinned policy key has signed. */
  signed: z.number().min(0),
  /** CLOCK_BOOTTIME when `latest` was, and of which boot. */
  boot: z.number().min(0),
  bootId: z.string().max(64),
});
export type ClockRecord = z.infer<typeof ClockRecord>;

/** Reads the record; null where there is none yet, or none that makes sense. */
export function readClockFile(path: string): ClockRecord | null {
  if (!existsSync(path)) return null;
  try {
    return ClockRecord.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null; // the signed times of the policy on the disk still hold
  }
}

/** Replaces the record, durably. */
export function writeClockFile(path: string, record: ClockRecord): void {
  writeFileDurably(path, `${JSON.stringify(record)}\n`);
}
