import { hostname } from "node:os";
import type { StreamedEvent } from "./streamed-event.ts";

/** Facility 13, "log audit", and severity 5, "notice" (RFC 5424 §6.2.1). */
const PRIORITY = 13 * 8 + 5;
const APP_NAME = "sallyport";

/**
 * An audit event as a syslog message (RFC 5424 §6): APP-NAME `sallyport`, MSGID the event's type, no structured data, and
 * the event as JSON. All but printable ASCII is escaped in it, so a message is one line, and needs no byte order mark, at
 * which receivers' JSON parsers stumble.
 */
export function syslogMessage(event: StreamedEvent, host = hostname()): Buffer {
  const name = host.replaceAll(/[^!-~]/g, "").slice(0, 255) || "-";
  const header = `<${PRIORITY}>1 ${event.time} ${name} ${APP_NAME} - ${event.type.slice(0, 32)} -`;
  const json = JSON.stringify(event).replaceAll(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return Buffer.from(`${header} ${json}`, "latin1");
}

/** A message in a TCP or TLS stream: its length in bytes first (RFC 6587 §3.4.1, RFC 5425 §4.3). */
export function octetCounted(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}
