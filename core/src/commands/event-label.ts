import { printable } from "../terminal-text.ts";
import { SessionEvent } from "./session-event.ts";

const MAX_LABEL = 1000;

/**
 * One printable line for what happened in a session: `$ systemctl restart nginx`, `refused: id`, `sftp write /srv/a (12 bytes)`.
 * Null for a command that ended well, of which its start says enough.
 */
export function eventLabel(event: SessionEvent): string | null {
  switch (event.type) {
    case "command-started":
      return printable(`$ ${event.line}`, MAX_LABEL);
    case "command-ended":
      return endLabel(event);
    case "command-refused":
      return printable(`refused: ${event.line || "a login"} (${event.detail})`, MAX_LABEL);
    case "file":
      return fileLabel(event);
  }
}

/** The same for a frame's data; null for what is no event that we know: newer writers may have others. */
export function eventLabelOf(data: Uint8Array): string | null {
  try {
    return eventLabel(SessionEvent.parse(JSON.parse(Buffer.from(data).toString("utf8"))));
  } catch {
    return null;
  }
}

function endLabel({
  exitStatus,
  signal,
  limit,
}: Extract<SessionEvent, { type: "command-ended" }>): string | null {
  if (limit !== null) return `ended by its ${limit} limit`;
  if (signal !== null) return printable(`ended by ${signal}`);
  return exitStatus === 0 || exitStatus === null ? null : `ended with status ${exitStatus}`;
}

function fileLabel(event: Extract<SessionEvent, { type: "file" }>): string {
  const { protocol, operation, path, target, bytes, result, detail } = event;
  const where = target === null ? path : `${path} -> ${target}`;
  const size = bytes === null ? "" : ` (${bytes} bytes)`;
  const outcome = result === "ok" ? "" : ` ${result}: ${detail}`;
  return printable(`${protocol} ${operation} ${where}${size}${outcome}`, MAX_LABEL);
}
