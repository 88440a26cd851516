import type { AuditEventsTable } from "../../database/tables.ts";

/** An audit event as it is streamed. `index` is its place in the log, so that a receiver knows what it has already. */
export interface StreamedEvent {
  index: number;
  id: string;
  /** RFC 3339, in UTC, with milliseconds. */
  time: string;
  type: string;
  actor: string;
  data: unknown;
}

/** Takes delivered events on. */
export interface Sink {
  /**
   * Resolves when they are delivered as far as the receiver can tell. Rejects otherwise; all of them come again then, so a
   * receiver may get an event more than once.
   */
  send(events: readonly StreamedEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** The streamed form of a stored event. */
export function streamedEvent(row: AuditEventsTable): StreamedEvent {
  return {
    index: row.leaf_index,
    id: row.id,
    time: new Date(row.at_ms).toISOString(),
    type: row.type,
    actor: row.actor,
    data: JSON.parse(row.data_json),
  };
}
