import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";

/**
 * `sallyport-agent clock accept`: root's word that the clock is right as it is now, for a host whose clock was mended and
 * whose control plane is away. The agent takes it at its next look, running or not yet. Only root can write it.
 */
export function acceptClock(acceptedPath: string, now: Date): void {
  mkdirSync(dirname(acceptedPath), { recursive: true, mode: 0o700 });
  writeFileDurably(acceptedPath, `${now.toISOString()}\n`);
}
