import { StringDecoder } from "node:string_decoder";
import { eventLabelOf } from "../commands/event-label.ts";
import { SallyportError } from "../errors.ts";
import { EndRecord, type Frame, FrameKind, StartRecord } from "./frame.ts";
import { PlainText } from "./plain-text.ts";
import { readVarint } from "./varint.ts";

/** Formats that a recording can be exported to. */
export const EXPORT_FORMATS = ["asciicast-v2", "asciicast-v3", "text", "raw"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Something that happened besides what the terminal showed; a marker of asciicast. `at` is milliseconds since the epoch. */
export interface ExportEvent {
  at: number;
  label: string;
}

/** Makes an export out of frames, one after the other, whether they come at once or little by little. */
export interface RecordingExporter {
  frame(frame: Frame): Iterable<Uint8Array>;
  /** What is left at the end. */
  end(): Iterable<Uint8Array>;
}

/**
 * An exporter to `format`. `asciicast-v2`/`-v3` are as docs.asciinema.org specifies them (v3 has relative times, and the exit
 * status as its last event), with `events` in order of time, and what frames of kind `event` tell, as markers; `text` is what
 * was shown with terminal control sequences removed, and a line in brackets for each such frame; `raw` is exactly the bytes that the terminal, or standard output and error together, got. Asciicast is
 * JSON and so holds text: bytes that are no UTF-8 become U+FFFD there, `raw` keeps them. Code `recording-malformed`.
 */
export function recordingExporter(
  format: ExportFormat,
  events: readonly ExportEvent[] = [],
): RecordingExporter {
  if (format === "raw") return RAW;
  if (format === "text") return new TextExporter();
  return new AsciicastExporter(format === "asciicast-v3" ? 3 : 2, events);
}

/** Exports frames that are all there, piece by piece: see {@link recordingExporter}. */
export function* exportRecording(
  frames: Iterable<Frame>,
  format: ExportFormat,
  events: readonly ExportEvent[] = [],
): Generator<Uint8Array> {
  const exporter = recordingExporter(format, events);
  for (const frame of frames) yield* exporter.frame(frame);
  yield* exporter.end();
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

const RAW: RecordingExporter = {
  frame: (frame) => (isShown(frame.kind) ? [frame.data] : []),
  end: () => [],
};

class TextExporter implements RecordingExporter {
  // Characters and escapes may be cut by a frame's end, and frames of other streams may lie between the pieces.
  readonly #streams = new Map<number, PlainText>();
  #atLineStart = true;

  *frame(frame: Frame): Generator<Uint8Array> {
    if (frame.kind === FrameKind.event) yield* this.#event(frame);
    if (!isShown(frame.kind)) return;
    const stream = this.#streams.get(frame.kind) ?? new PlainText();
    this.#streams.set(frame.kind, stream);
    yield* this.#text(stream.write(frame.data));
  }

  *end(): Generator<Uint8Array> {
    for (const stream of this.#streams.values()) yield* this.#text(stream.end());
  }

  /** A line of its own. */
  *#event(frame: Frame): Generator<Uint8Array> {
    const label = eventLabelOf(frame.data);
    if (label !== null) yield* this.#text(`${this.#atLineStart ? "" : "\n"}[${label}]\n`);
  }

  *#text(text: string): Generator<Uint8Array> {
    if (text === "") return;
    this.#atLineStart = text.endsWith("\n");
    yield Buffer.from(text);
  }
}

class AsciicastExporter implements RecordingExporter {
  readonly #version: 2 | 3;
  readonly #events: readonly ExportEvent[];
  readonly #decoders = new Map<number, StringDecoder>();
  #start: StartRecord | undefined;
  #nextEvent = 0;
  /** Time of the last line, and of the last frame, in microseconds. */
  #previous = 0;
  #last = 0;

  constructor(version: 2 | 3, events: readonly ExportEvent[]) {
    this.#version = version;
    this.#events = events;
  }

  *frame(frame: Frame): Generator<Uint8Array> {
    if (this.#start === undefined) {
      this.#start = startRecordOf(frame);
      yield line(this.#version === 2 ? headerV2(this.#start) : headerV3(this.#start));
      return;
    }
    // The exit status ends a cast, so what came after it goes before.
    yield* this.#markers(this.#start, frame.kind === FrameKind.end ? Number.POSITIVE_INFINITY : frame.time);
    this.#last = Math.max(this.#last, frame.time);
    if (isShown(frame.kind)) {
      yield* this.#text("o", frame);
    } else if (frame.kind === FrameKind.event) {
      const label = eventLabelOf(frame.data);
      if (label !== null) yield this.#event(frame.time, "m", label);
    } else if (frame.kind === FrameKind.input) {
      yield* this.#text("i", frame);
    } else if (frame.kind === FrameKind.resize) {
      const columns = readVarint(frame.data, 0);
      yield this.#event(frame.time, "r", `${columns.value}x${readVarint(frame.data, columns.next).value}`);
    } else if (frame.kind === FrameKind.end) {
      yield* this.#rests();
      const end = endRecordOf(frame);
      if (this.#version === 3 && end.exitStatus !== null)
        yield this.#event(frame.time, "x", String(end.exitStatus));
    }
  }

  *end(): Generator<Uint8Array> {
    if (this.#start === undefined) startRecordOf(undefined);
    else yield* this.#markers(this.#start, Number.POSITIVE_INFINITY);
    yield* this.#rests();
  }

  /** Markers up to `time`. Times of lines never go back, though the events' clock may have been set. */
  *#markers(start: StartRecord, time: number): Generator<Uint8Array> {
    for (let next = this.#events[this.#nextEvent]; next !== undefined; next = this.#events[this.#nextEvent]) {
      const at = (next.at - start.startedAt) * 1000;
      if (at > time) return;
      this.#nextEvent++;
      yield this.#event(Math.max(at, this.#previous), "m", next.label);
    }
  }

  *#text(code: string, frame: Frame): Generator<Uint8Array> {
    const decoder = this.#decoders.get(frame.kind) ?? new StringDecoder("utf8");
    this.#decoders.set(frame.kind, decoder);
    const text = decoder.write(Buffer.from(frame.data));
    if (text !== "") yield this.#event(frame.time, code, text);
  }

  *#rests(): Generator<Uint8Array> {
    for (const [kind, decoder] of this.#decoders) {
      const rest = decoder.end();
      if (rest !== "") yield this.#event(this.#last, kind === FrameKind.input ? "i" : "o", rest);
    }
  }

  #event(time: number, code: string, data: string): Uint8Array {
    const at = Math.max(time, this.#previous);
    const seconds = this.#version === 2 ? at / 1e6 : (at - this.#previous) / 1e6;
    this.#previous = at;
    return line([Math.round(seconds * 1e6) / 1e6, code, data]);
  }
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
