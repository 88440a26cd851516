import {
  type FrameKind,
  frameLength,
  MAX_FRAME_DATA,
  writeFrameHead,
} from "@sallyport/core/recording/frame.ts";
import { BLOCK_SIZE } from "./layout.ts";

/** One frame may cross the limit by its own length and head. */
const BUFFER_SIZE = BLOCK_SIZE + MAX_FRAME_DATA + 32;
/** Buffers of recordings that have ended, for the next: many short sessions would keep the garbage collector busy. */
const spare: Buffer[] = [];
const MAX_SPARE = 8;

/** The block of a recording that fills; its buffer is used again for the next one. */
export class OpenBlock {
  #buffer: Buffer = spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_SIZE);
  #length = 0;
  #safe = 0;
  sequence = 0;
  frames = 0;
  /** When its first frame came; milliseconds since the epoch. */
  openedAt = 0;

  get full(): boolean {
    return this.#length >= BLOCK_SIZE;
  }

  /** The frames so far, encoded; valid until `begin`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Those of the bytes that are not in the kernel's hands yet. */
  get unsafe(): Buffer {
    return this.#buffer.subarray(this.#safe, this.#length);
  }

  /** Adds one frame, whose data is not longer than one may be. */
  append(kind: FrameKind, micros: number, data: Uint8Array): void {
    if (this.frames === 0) this.openedAt = Date.now();
    const at = writeFrameHead(this.#buffer, this.#length, kind, micros, data.length);
    this.#buffer.set(data, at);
    this.#length += frameLength(micros, data.length);
    this.frames++;
  }

  /** The kernel has it all. */
  settle(): void {
    this.#safe = this.#length;
  }

  /** Becomes the next block, empty. */
  begin(sequence: number): void {
    this.sequence = sequence;
    this.frames = 0;
    this.#length = 0;
    this.#safe = 0;
  }

  /** It is needed no more, and must not be used. */
  release(): void {
    if (spare.length < MAX_SPARE && this.#buffer.length > 0) spare.push(this.#buffer);
    this.#buffer = Buffer.alloc(0);
    this.begin(this.sequence);
  }
}
