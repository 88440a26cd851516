/*
 * What the shim says to agent and recorder, and they to it. A frame is `u32 length | type (1 byte) | payload`, the
 * length counting type and payload, all numbers big-endian. `agent/shim/*.c` is the other side.
 *
 *   shim → agent      q  principals: the arguments, each `u32 length | bytes`
 *                     s  session: version, flags (1 = terminal), has command, command
 *   agent → shim      p  text to print for sshd; empty denies
 *                     r  refused: exit status, text for the contractor
 *                     g  go: ticket (32), path of the recorder's socket
 *   shim → recorder   h  hello: ticket (32), rows, columns, x and y pixels (u16 each), TERM
 *                     c  the child has been started; with direct descriptors: 3 × u32, see start-instructions.ts
 *                     i  input, j end of input, o output, e standard error (o and e without a terminal only)
 *                     n  new window size (4 × u16), w the child has ended: 0 exit | 1 signal, value
 *   recorder → shim   x  what to start, see start-instructions.ts; again only after the `w` of the child before
 *                     y  there is no child yet: pump what is typed (a prompt)
 *                     d  output to show, t text of ours to show
 *                     a  this many more bytes of output and standard error are recorded and may be shown (2 × u32)
 *                     k  signal number (1 byte) for the child's process group
 *                     m  the direct descriptors have been taken
 *                     z  the session is over: 0 exit | 1 signal, value
 *                     The first is x, y, or t and z: a session that is refused.
 *
 * During an upgrade a shim may be older or younger than agent and recorder. The version stays 1 for as long as a plain
 * shell is started as ever; a shim that does not know a field or a frame starts nothing and ends the session.
 */

/** Version of the `s` frame that we speak. */
export const SHIM_PROTOCOL_VERSION = 1;
/** Largest frame, type included; the same in shim.h. */
export const MAX_SHIM_FRAME: number = 256 * 1024;
export const TICKET_LENGTH = 32;

/** A frame from the shim; `data` is valid until the next chunk is pushed. */
export interface ShimFrame {
  type: string;
  data: Buffer;
}

/** The whole frames at the beginning of `bytes`, and how many bytes they take; null means a frame too large: close. */
export function cutFrames(bytes: Buffer): { frames: ShimFrame[]; length: number } | null {
  const frames: ShimFrame[] = [];
  let at = 0;
  while (bytes.length - at >= 5) {
    const length = bytes.readUInt32BE(at);
    if (length < 1 || length > MAX_SHIM_FRAME) return null;
    if (bytes.length - at < 4 + length) break;
    frames.push({
      type: String.fromCharCode(bytes[at + 4] ?? 0),
      data: bytes.subarray(at + 5, at + 4 + length),
    });
    at += 4 + length;
  }
  return { frames, length: at };
}

/** A frame's length and type: less says nothing. */
const FRAME_HEAD = 5;

/**
 * Cuts a byte stream into frames. `push` returns the whole frames; null means a frame too large: close. However small
 * the pieces are that a frame comes in, it is looked at once and copied a few times: anybody on the host can send them.
 */
export class ShimFrameReader {
  /** The first bytes of a frame that is not there whole; of `#rest`, only so many are filled. */
  #rest: Buffer = Buffer.alloc(0);
  #filled = 0;
  /** How many must be there before there is anything to do. */
  #wanted = FRAME_HEAD;

  push(chunk: Buffer): ShimFrame[] | null {
    const bytes = this.#filled === 0 ? chunk : this.#append(chunk);
    if (bytes.length < this.#wanted) {
      this.#keep(bytes);
      return [];
    }
    const cut = cutFrames(bytes);
    if (cut === null) return null;
    // A view of exactly these bytes: what comes next goes into a buffer of its own, so that the frames stay as they are.
    this.#rest = bytes.subarray(cut.length);
    this.#filled = this.#rest.length;
    this.#wanted = this.#filled < FRAME_HEAD ? FRAME_HEAD : 4 + this.#rest.readUInt32BE(0);
    return cut.frames;
  }

  #append(chunk: Buffer): Buffer {
    const length = this.#filled + chunk.length;
    if (length > this.#rest.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#rest.length));
      this.#rest.copy(grown, 0, 0, this.#filled);
      this.#rest = grown;
    }
    chunk.copy(this.#rest, this.#filled);
    return this.#rest.subarray(0, length);
  }

  #keep(bytes: Buffer): void {
    if (this.#filled === 0) this.#rest = bytes;
    this.#filled = bytes.length;
  }
}

/** Encodes one frame. */
export function shimFrame(type: string, ...parts: Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.allocUnsafe(5);
  writeShimFrameHead(head, type, length);
  return Buffer.concat([head, ...parts], 5 + length);
}

/** Writes the first five bytes of a frame whose payload is put behind them by the caller. */
export function writeShimFrameHead(target: Buffer, type: string, payloadLength: number): void {
  target.writeUInt32BE(payloadLength + 1, 0);
  target.writeUInt8(type.charCodeAt(0), 4);
}

/** The arguments in a `q` frame; null when it is malformed. */
export function decodeArguments(data: Buffer): string[] | null {
  const values: string[] = [];
  for (let at = 0; at < data.length; ) {
    if (data.length - at < 4) return null;
    const length = data.readUInt32BE(at);
    at += 4;
    if (length > data.length - at) return null;
    values.push(data.toString("utf8", at, at + length));
    at += length;
  }
  return values;
}

/** What the shim asks a session for; null when the frame is malformed or of another version. */
export function decodeSessionRequest(data: Buffer): { terminal: boolean; command: Buffer | null } | null {
  if (data.length < 3 || data[0] !== SHIM_PROTOCOL_VERSION) return null;
  return { terminal: data[1] === 1, command: data[2] === 1 ? Buffer.from(data.subarray(3)) : null };
}

/** The hello of a shim to its recorder; null when malformed. */
export function decodeHello(
  data: Buffer,
): { ticket: string; rows: number; columns: number; term: string } | null {
  if (data.length < TICKET_LENGTH + 8 || data.length > TICKET_LENGTH + 8 + 128) return null;
  const term = data.toString("latin1", TICKET_LENGTH + 8);
  return {
    ticket: data.toString("hex", 0, TICKET_LENGTH),
    rows: data.readUInt16BE(TICKET_LENGTH),
    columns: data.readUInt16BE(TICKET_LENGTH + 2),
    term: /^[A-Za-z0-9._+-]*$/.test(term) ? term : "",
  };
}

/** How a child ended, from a `w` frame; null when malformed. */
export function decodeChildStatus(data: Buffer): { signal: boolean; value: number } | null {
  if (data.length !== 2 || (data[0] ?? 2) > 1) return null;
  return { signal: data[0] === 1, value: data[1] ?? 0 };
}

/** What a shim says of the child it has started: with `D` who it is, and what to take by pidfd_getfd(2); null when malformed. */
export function decodeStarted(
  data: Buffer,
): { direct: { pid: number; input: number; output: number } | null } | null {
  if (data.length === 0) return { direct: null };
  if (data.length !== 12) return null;
  const [pid, input, output] = [data.readUInt32BE(0), data.readUInt32BE(4), data.readUInt32BE(8)];
  return { direct: { pid, input, output } };
}
