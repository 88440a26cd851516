import type { SessionSummary } from "@sallyport/core/messages/client-api.ts";
import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import type { SessionEvent } from "@sallyport/core/messages/recordings.ts";
import type { ExportEvent } from "@sallyport/core/recording/export.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { sessionEvents } from "../database/session-events.ts";
import type { Database } from "../database/tables.ts";

/** Told for the audit log; the recording itself has these too, at their very place. */
const IN_RECORDING: ReadonlySet<HostEvent["type"]> = new Set([
  ...(["command-started", "command-refused", "file-moved", "file-refused"] as const),
]);

/** What a host told of a session besides its recording, oldest first. */
export async function eventsOf(
  db: Database,
  session: SessionSummary,
  hostId: string,
): Promise<{ told: SessionEvent[]; markers: ExportEvent[] }> {
  const events = await sessionEvents(db, {
    id: session.id,
    hostId,
    certificateSerial: session.certificateSerial,
    startedAt: session.startedAt * 1000,
    endedAt: session.endedAt === null ? null : session.endedAt * 1000,
  });
  return {
    told: events.map(({ at, type, code, detail }) => ({ at: at / 1000, type, code, detail })),
    markers: events
      .filter(({ type }) => !IN_RECORDING.has(type))
      .map((event) => ({ at: event.at, label: labelOf(event) })),
  };
}

/** An event in one line, as a player shows it with its marker. */
function labelOf({ type, code, detail }: HostEvent): string {
  return printable([type, code, detail].filter((part) => part !== null && part !== "").join(": "), 300);
}
