import { existsSync, readFileSync } from "node:fs";
import { Id } from "@sallyport/core/names.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { z } from "zod";

/** The newest policy that this host has had, kept apart from the policy itself. */
const Newest = z.strictObject({
  v: z.literal(1),
  /** An enrolment anew begins at version 1 again, under another id. */
  hostId: Id,
  version: z.int().min(1),
  revocationSequence: z.int().min(0),
});
export type Newest = z.infer<typeof Newest>;

/** Reads it; zeros where there is none for this host, or none that makes sense. */
export function readNewest(path: string, hostId: string): Pick<Newest, "version" | "revocationSequence"> {
  const none = { version: 0, revocationSequence: 0 };
  if (!existsSync(path)) return none;
  try {
    const newest = Newest.parse(JSON.parse(readFileSync(path, "utf8")));
    return newest.hostId === hostId ? newest : none;
  } catch {
    return none; // a policy that cannot be told from an older one is better than nobody ever getting in
  }
}

/** Replaces it, durably. */
export function writeNewest(path: string, newest: Newest): void {
  writeFileDurably(path, `${JSON.stringify(newest)}\n`);
}
