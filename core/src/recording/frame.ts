import { z } from "zod";
import { Assurance } from "../admission/assurance.ts";
import { SallyportError } from "../errors.ts";
import { readVarint, varintLength, writeVarint } from "./varint.ts";

/*
 * A frame is one thing that happened: `kind` (1 byte), `time` (varint, microseconds since the session's start),
 * `length` (varint) and that many bytes of data. docs/formats/recording.md has the format in words.
 */

/** Kinds of frame. Unknown kinds are kept by readers and skipped by exports: new ones do not break old tools. */
export const FrameKind = {
  /** JSON {@link StartRecord}; the first frame of every recording. */
  start: 1,
  /** Bytes to the terminal, or to standard output of a command. */
  output: 2,
  /** Bytes to standard error of a command. */
  error: 3,
  /** Bytes typed, or fed to standard input of a command. */
  input: 4,
  /** Input withheld because the terminal's echo was off; data is the count of bytes as a varint. */
  inputWithheld: 5,
  /** New window size: two varints, columns and rows. */
  resize: 6,
  /** Text that Sallyport itself showed on the terminal (a warning before the end, a reason). */
  message: 7,
  /** JSON {@link EndRecord}; the last frame of every recording. */
  end: 8,
  /** JSON of a `SessionEvent` (commands/session-event.ts): a command, a file, a refusal. */
  event: 9,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export interface Frame {
  kind: number;
  /** Microseconds since the start of the session. */
  time: number;
  data: Uint8Array;
}

/** Largest data of one frame; a writer splits what is longer. */
export const MAX_FRAME_DATA = 64 * 1024;

/** So many zeros are not a damaged frame, but none. */
const ZEROS = 512;

/** What the first frame says: who, where, as whom, by which login. */
export const StartRecord = z.object({
  v: z.literal(1),
  session: z.string(),
  host: z.object({ id: z.string(), name: z.string() }),
  account: z.string(),
  member: z.object({ id: z.string(), name: z.string(), issuer: z.string(), subject: z.string() }),
  engagement: z.object({ id: z.string(), name: z.string() }),
  login: z.object({
    certificateSerial: z.string(),
    keyFingerprint: z.string(),
    /** `iat` of the ID token of the sign-in, in seconds; older recordings do not say. */
    signedInAt: z.number().optional(),
    sourceAddress: z.string().nullable(),
    mfa: z.string(),
    /** `brokered` where the ID token did not commit to the key; `bound` in older recordings, which do not say. */
    assurance: Assurance.optional(),
  }),
  /** On a terminal, without one, or a transfer of files whose contents are not in the recording. */
  kind: z.enum(["pty", "command", "files"]),
  command: z.string().nullable(),
  terminal: z.object({ term: z.string(), columns: z.int(), rows: z.int() }).nullable(),
  /** Milliseconds since the epoch. */
  startedAt: z.number(),
});
export type StartRecord = z.infer<typeof StartRecord>;

/** What the last frame says. Exactly one of `exitStatus` and `signal` is set where the command ended by itself. */
export const EndRecord = z.object({
  v: z.literal(1),
  exitStatus: z.int().nullable(),
  signal: z.string().nullable(),
  reason: z.enum([
    "exited",
    "disconnected",
    "revoked",
    "engagement-ended",
    "idle",
    "too-long",
    "refused",
    "time-limit",
    "output-limit",
    "recorder-lost",
    "agent-stopped",
    "spool-failed",
    "rebooted",
  ]),
  detail: z.string(),
  /** Milliseconds since the epoch; for a recovered recording the time of its last frame. */
  endedAt: z.number(),
});
export type EndRecord = z.infer<typeof EndRecord>;

/** Bytes that a frame takes. */
export function frameLength(time: number, dataLength: number): number {
  return 1 + varintLength(time) + varintLength(dataLength) + dataLength;
}

/** Writes only a frame's head (kind, time, length) so that data need not be copied; returns the offset behind it. */
export function writeFrameHead(
  target: Uint8Array,
  offset: number,
  kind: number,
  time: number,
  dataLength: number,
): number {
  target[offset] = kind;
  return writeVarint(target, writeVarint(target, offset + 1, time), dataLength);
}

/** Encodes one frame. */
export function encodeFrame(frame: Frame): Uint8Array {
  const bytes = Buffer.allocUnsafe(frameLength(frame.time, frame.data.length));
  const at = writeFrameHead(bytes, 0, frame.kind, frame.time, frame.data.length);
  bytes.set(frame.data, at);
  return bytes;
}

/**
 * Decodes the frames in `bytes`. With `partial`, a frame that is cut off at the end (a crash in mid-write) ends the
 * reading instead of failing it, and so do zeros (a file system that lost power may show them where data had not reached
 * the disk; a spool has them where frames were sealed at once): {@link ZEROS} of them, or all up to the end. `rest`
 * tells how many bytes were left. Code `recording-malformed`.
 */
export function decodeFrames(
  bytes: Uint8Array,
  options?: { partial?: boolean },
): { frames: Frame[]; rest: number } {
  const frames: Frame[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (options?.partial && bytes[at] === 0 && bytes.subarray(at, at + ZEROS).every((byte) => byte === 0))
      break;
    const frame = readFrame(bytes, at);
    if (frame === undefined) {
      if (options?.partial) break;
      throw new SallyportError("recording-malformed", "The last frame of the block is cut off.");
    }
    frames.push({ kind: frame.kind, time: frame.time, data: frame.data });
    at = frame.next;
  }
  return { frames, rest: bytes.length - at };
}

function readFrame(bytes: Uint8Array, at: number): (Frame & { next: number }) | undefined {
  const kind = bytes[at];
  if (kind === undefined || kind === 0)
    throw new SallyportError("recording-malformed", "A frame has no kind.");
  try {
    const time = readVarint(bytes, at + 1);
    const length = readVarint(bytes, time.next);
    if (length.value > MAX_FRAME_DATA)
      throw new SallyportError("recording-malformed", "A frame is longer than 64 KiB.");
    const end = length.next + length.value;
    if (end > bytes.length) return undefined;
    return { kind, time: time.value, data: bytes.subarray(length.next, end), next: end };
  } catch (error) {
    // A number cut off by the end of the data is a cut-off frame; one that is too large is damage.
    if (bytes.length - at < 20 && !(error instanceof SallyportError && error.message.includes("64 KiB")))
      return undefined;
    throw error;
  }
}
