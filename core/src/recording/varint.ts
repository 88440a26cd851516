import { SallyportError } from "../errors.ts";

/** Appends `value` (0 … 2^53−1) as unsigned LEB128 at `offset`; returns the offset behind it. At most 8 bytes. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 0x80) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[at++] = rest;
  return at;
}

/** How many bytes `writeVarint` takes for `value`. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Reads an unsigned LEB128 number; returns it and the offset behind it. Code `recording-malformed`. */
export function readVarint(source: Uint8Array, offset: number): { value: number; next: number } {
  let value = 0;
  let scale = 1;
  for (let at = offset; at < offset + 8; at++) {
    const byte = source[at];
    if (byte === undefined) break;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (!Number.isSafeInteger(value)) break;
      return { value, next: at + 1 };
    }
    scale *= 0x80;
  }
  throw new SallyportError("recording-malformed", "A number in the recording is cut off or too large.");
}
