import { StringDecoder } from "node:string_decoder";
import { SallyportError } from "../errors.ts";
import { EndRecord, type Frame, FrameKind, StartRecord } from "./frame.ts";
import { PlainText } from "./plain-text.ts";
import { readVarint } from "./varint.ts";

/** Formats that a recording can be exported to. */
export const EXPORT_FORMATS = ["asciicast-v2", "asciicast-v3", "text", "raw"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/**
 * Exports a recording, piece by piece. `asciicast-v2`/`-v3` are as docs.asciinema.org specifies them (v3 has relative
 * times, and the exit status as its last event); `text` is what was shown with terminal control sequences removed; `raw`
 * is exactly the bytes that the terminal, or standard output and error together, got. Asciicast is JSON and so holds
 * text: bytes that are no UTF-8 become U+FFFD there, `raw` keeps them.
 */
export function* exportRecording(frames: Iterable<Frame>, format: ExportFormat): Generator<Uint8Array> {
  if (format === "raw") return yield* exportRaw(frames);
  if (format === "text") return yield* exportText(frames);
  yield* exportAsciicast(frames, format === "asciicast-v3" ? 3 : 2);
}

/** The start record; every recording has it first. Code `recording-malformed`. */
export function startRecordOf(frame: Frame | undefined): StartRecord {
  return parseRecord(StartRecord, frame, FrameKind.start, "start");
}

/** The end record out of its frame. Code `recording-malformed`. */
export function endRecordOf(frame: Frame | undefined): EndRecord {
  return parseRecord(EndRecord, frame, FrameKind.end, "end");
}

function parseRecord<T>(
  schema: { parse(value: unknown): T },
  frame: Frame | undefined,
  kind: number,
  name: string,
): T {
  if (frame?.kind !== kind)
    throw new SallyportError("recording-malformed", `The recording has no ${name} record.`);
  try {
    return schema.parse(JSON.parse(Buffer.from(frame.data).toString("utf8")));
  } catch (cause) {
    throw new SallyportError("recording-malformed", `The ${name} record has the wrong shape.`, { cause });
  }
}

function isShown(kind: number): boolean {
  return kind === FrameKind.output || kind === FrameKind.error || kind === FrameKind.message;
}

function* exportRaw(frames: Iterable<Frame>): Generator<Uint8Array> {
  for (const frame of frames) if (isShown(frame.kind)) yield frame.data;
}

function* exportText(frames: Iterable<Frame>): Generator<Uint8Array> {
  // Characters and escapes may be cut by a frame's end, and frames of other streams may lie between the pieces.
  const streams = new Map<number, PlainText>();
  for (const frame of frames) {
    if (!isShown(frame.kind)) continue;
    const stream = streams.get(frame.kind) ?? new PlainText();
    streams.set(frame.kind, stream);
    yield Buffer.from(stream.write(frame.data));
  }
  for (const stream of streams.values()) yield Buffer.from(stream.end());
}

function* exportAsciicast(frames: Iterable<Frame>, version: 2 | 3): Generator<Uint8Array> {
  const iterator = frames[Symbol.iterator]();
  const start = startRecordOf(iterator.next().value);
  yield line(version === 2 ? headerV2(start) : headerV3(start));
  const decoders = new Map<number, StringDecoder>();
  let previous = 0;
  const event = (time: number, code: string, data: string): Uint8Array => {
    const seconds = version === 2 ? time / 1e6 : (time - previous) / 1e6;
    previous = time;
    return line([Math.round(seconds * 1e6) / 1e6, code, data]);
  };
  const decode = (frame: Frame): string => {
    const decoder = decoders.get(frame.kind) ?? new StringDecoder("utf8");
    decoders.set(frame.kind, decoder);
    return decoder.write(Buffer.from(frame.data));
  };
  let last = 0;
  const rests = function* (): Generator<Uint8Array> {
    for (const [kind, decoder] of decoders) {
      const rest = decoder.end();
      if (rest !== "") yield event(last, kind === FrameKind.input ? "i" : "o", rest);
    }
  };
  for (let next = iterator.next(); !next.done; next = iterator.next()) {
    const frame = next.value;
    last = frame.time;
    if (isShown(frame.kind)) {
      const text = decode(frame);
      if (text !== "") yield event(frame.time, "o", text);
    } else if (frame.kind === FrameKind.input) {
      const text = decode(frame);
      if (text !== "") yield event(frame.time, "i", text);
    } else if (frame.kind === FrameKind.resize) {
      const columns = readVarint(frame.data, 0);
      yield event(frame.time, "r", `${columns.value}x${readVarint(frame.data, columns.next).value}`);
    } else if (frame.kind === FrameKind.end) {
      yield* rests();
      const end = endRecordOf(frame);
      if (version === 3 && end.exitStatus !== null) yield event(frame.time, "x", String(end.exitStatus));
    }
  }
  yield* rests();
}

// Where there is no terminal, or one that says 0 (`ssh -tt` without a terminal of its own).
const COLUMNS = 80;
const ROWS = 24;

function title(start: StartRecord): string {
  return `${start.member.name} as ${start.account} on ${start.host.name} (${start.engagement.name})`;
}

function headerV2(start: StartRecord): unknown {
  return {
    version: 2,
    width: start.terminal?.columns || COLUMNS,
    height: start.terminal?.rows || ROWS,
    timestamp: Math.floor(start.startedAt / 1000),
    title: title(start),
    ...(start.command === null ? {} : { command: start.command }),
    env: { TERM: start.terminal?.term ?? "dumb" },
  };
}

function headerV3(start: StartRecord): unknown {
  return {
    version: 3,
    term: {
      cols: start.terminal?.columns || COLUMNS,
      rows: start.terminal?.rows || ROWS,
      type: start.terminal?.term ?? "dumb",
    },
    timestamp: Math.floor(start.startedAt / 1000),
    title: title(start),
    ...(start.command === null ? {} : { command: start.command }),
  };
}

function line(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
