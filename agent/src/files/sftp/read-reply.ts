import { fileEvent } from "./decision.ts";
import { type FileEvent, OpenFile } from "./open-file.ts";
import { answers, type Expected, type Handle } from "./pending.ts";
import { ATTRIBUTE, MAX_HANDLE, PACKET_HEAD, SSH_FX, SSH_FXP, statusText } from "./protocol.ts";

/** What a reply means. */
export interface ReplyOutcome {
  events: FileEvent[];
  opened?: { name: string; handle: Handle };
  /** Whose content the rest of the packet is. */
  reading?: OpenFile;
}

/** How much of a reply is needed to understand it. */
export function replyWanted(type: number): number {
  switch (type) {
    case SSH_FXP.HANDLE:
      return PACKET_HEAD + 4 + MAX_HANDLE;
    case SSH_FXP.ATTRS:
      return PACKET_HEAD + 4 + 8;
    case SSH_FXP.STATUS:
    case SSH_FXP.DATA:
      return PACKET_HEAD + 4;
    default:
      return PACKET_HEAD;
  }
}

/** Understands a reply by its beginning; null when it is none to this request. `length` is the whole packet's. */
export function readReply(
  beginning: Buffer,
  length: number,
  { id, expected }: { id: number; expected: Expected },
): ReplyOutcome | null {
  const type = beginning.readUInt8(4);
  if (!answers(expected, type) || beginning.length < Math.min(length, replyWanted(type))) return null;
  if (expected.kind === "version") return { events: [] };
  if (beginning.readUInt32BE(5) !== id) return null;
  if (type === SSH_FXP.STATUS)
    return length < PACKET_HEAD + 4 ? null : ofStatus(beginning.readUInt32BE(PACKET_HEAD), expected);
  if (type === SSH_FXP.HANDLE) return ofHandle(beginning, length, expected);
  if (type === SSH_FXP.DATA) return ofData(beginning, length, expected);
  if (expected.kind === "fstat") noteSize(beginning, expected.file);
  return { events: [] };
}

function ofStatus(code: number, expected: Expected): ReplyOutcome {
  const ok = code === SSH_FX.OK;
  switch (expected.kind) {
    case "open":
      return { events: [failedOpen(expected, statusText(code))] };
    case "close":
      return { events: closed(expected.handle, ok ? null : statusText(code)) };
    case "read":
      // Where nothing was asked for, there is nothing, end or not.
      if (code === SSH_FX.EOF) expected.length > 0 && expected.file.endAt(expected.offset);
      else expected.file.failed(statusText(code));
      return { events: [] };
    case "write":
      if (ok) expected.file.written(expected.length);
      else expected.file.failed(statusText(code));
      return { events: [] };
    case "change": {
      const { event } = expected;
      return { events: [ok ? event : { ...event, result: "failed", detail: statusText(code) }] };
    }
    default:
      return { events: [] };
  }
}

function failedOpen({ path, mode }: Extract<Expected, { kind: "open" }>, detail: string): FileEvent {
  return fileEvent(mode.writes ? "write" : "read", path, { result: "failed", detail });
}

function closed(handle: Handle, failure: string | null): FileEvent[] {
  return handle instanceof OpenFile ? handle.events(failure) : [];
}

function ofHandle(beginning: Buffer, length: number, expected: Expected): ReplyOutcome | null {
  if (length < PACKET_HEAD + 4) return null;
  const size = beginning.readUInt32BE(PACKET_HEAD);
  if (size > MAX_HANDLE || PACKET_HEAD + 4 + size !== length) return null;
  const name = beginning.toString("latin1", PACKET_HEAD + 4, length);
  if (expected.kind === "opendir")
    return { events: [], opened: { name, handle: { path: expected.path, revoked: false } } };
  if (expected.kind !== "open") return null;
  const { path, mode, maxSize } = expected;
  // Before the first byte of it can be asked for, the recording says that it was opened.
  const events = mode.reads ? [fileEvent("read", path, { detail: OPENED })] : [];
  return { events, opened: { name, handle: new OpenFile(path, mode, maxSize) } };
}

/** The detail of the event that a file is going to be read; its second one tells what came of it. */
export const OPENED = "opened";

function ofData(beginning: Buffer, length: number, expected: Expected): ReplyOutcome | null {
  if (expected.kind !== "read" || length < PACKET_HEAD + 4) return null;
  const given = beginning.readUInt32BE(PACKET_HEAD);
  if (PACKET_HEAD + 4 + given !== length || given > expected.length) return null;
  const { file, offset } = expected;
  file.readStarts(offset, expected.length, given);
  file.readMore(beginning.subarray(PACKET_HEAD + 4));
  return { events: [], reading: file };
}

function noteSize(beginning: Buffer, file: OpenFile): void {
  if (beginning.length < PACKET_HEAD + 12 || (beginning.readUInt32BE(PACKET_HEAD) & ATTRIBUTE.SIZE) === 0)
    return;
  file.sizeIs(Number(beginning.readBigUInt64BE(PACKET_HEAD + 4)));
}
