import { SallyportError } from "../errors.ts";

/** Longest mpint we read or write, in bytes: well past RSA 16384, so that too large a key is told from nonsense. */
const MAX_MPINT = 4096;
const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads the data types of RFC 4251 §5 from a byte array, in order. Every method throws `ssh-malformed` when the
 * bytes run out or are not in the type's one canonical form. What it returns are views, not copies.
 */
export class SshReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    // A plain Uint8Array even over a Buffer, whose `slice` means something else.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8));
  }

  /** A `string` of at most `max` bytes. */
  string(max = Number.POSITIVE_INFINITY): Uint8Array {
    const length = this.uint32();
    if (length > max) throw malformed(`A string of ${length} bytes is longer than the ${max} allowed here.`);
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A `string` that holds text: strict UTF-8 of at most `max` bytes, without NUL, see {@link decodeText}. */
  text(max?: number): string {
    return decodeText(this.string(max));
  }

  /** An `mpint` in its shortest form, as RFC 4251 demands. May be negative. */
  mpint(): bigint {
    const bytes = this.string(MAX_MPINT);
    const [first, second] = bytes;
    if (first === undefined) return 0n;
    const sign = (second ?? 0) & 0x80;
    const padded =
      bytes.length === 1 ? first === 0 : (first === 0 && sign === 0) || (first === 0xff && sign !== 0);
    if (padded) throw malformed("An mpint is not in its shortest form.");
    return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#advance(this.remaining));
  }

  /** Throws `ssh-malformed` unless everything has been read. */
  end(): void {
    if (this.remaining !== 0) throw malformed(`${this.remaining} bytes are left over at the end.`);
  }

  #advance(length: number): number {
    if (length > this.remaining) {
      throw malformed(`The data ends early: ${length} bytes wanted, ${this.remaining} left.`);
    }
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}

/**
 * Strict UTF-8 to text; `ssh-malformed` otherwise. NUL is refused too: where OpenSSH takes a text as a C string, a
 * NUL would make it see a different text than we do.
 */
export function decodeText(bytes: Uint8Array): string {
  let text: string;
  try {
    text = STRICT_UTF8.decode(bytes);
  } catch (cause) {
    throw malformed("A text is not valid UTF-8.", cause);
  }
  if (text.includes("\0")) throw malformed("A text contains a NUL.");
  return text;
}

/** Writes the data types of RFC 4251 §5; each method returns the writer. A value out of range is a `TypeError`. */
export class SshWriter {
  readonly #parts: Uint8Array[] = [];

  uint8(value: number): this {
    return this.#integer(value, 1);
  }

  uint32(value: number): this {
    return this.#integer(value, 4);
  }

  uint64(value: bigint): this {
    return this.#integer(value, 8);
  }

  string(value: Uint8Array): this {
    return this.uint32(value.length).raw(value);
  }

  /** Text as a `string` in UTF-8; text that {@link SshReader.text} would refuse is a `TypeError`. */
  text(value: string): this {
    if (!value.isWellFormed() || value.includes("\0"))
      throw new TypeError("text has a NUL or a lone surrogate");
    return this.string(new TextEncoder().encode(value));
  }

  mpint(value: bigint): this {
    if (value === 0n) return this.uint32(0);
    // One bit more than the magnitude, for the sign.
    const bits = (value < 0n ? ~value : value).toString(2).length + 1;
    const length = Math.ceil(bits / 8);
    if (length > MAX_MPINT) throw new TypeError(`an mpint has at most ${MAX_MPINT} bytes`);
    const hex = BigInt.asUintN(length * 8, value).toString(16);
    return this.string(Buffer.from(hex.padStart(length * 2, "0"), "hex"));
  }

  /** Bytes as they are, without a length. */
  raw(value: Uint8Array): this {
    this.#parts.push(value);
    return this;
  }

  /** Everything written so far, in one fresh array. */
  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }

  #integer(value: bigint | number, size: number): this {
    const inRange = typeof value === "bigint" || Number.isSafeInteger(value);
    if (!inRange || BigInt.asUintN(size * 8, BigInt(value)) !== BigInt(value)) {
      throw new TypeError(`${value} is not a uint${size * 8}`);
    }
    return this.raw(Buffer.from(value.toString(16).padStart(size * 2, "0"), "hex"));
  }
}

/** An `ssh-malformed` error, the commonest in this folder. */
export function malformed(message: string, cause?: unknown): SallyportError {
  return new SallyportError("ssh-malformed", message, { cause });
}
