import { hash as digest, type KeyObject, sign, verify } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { SallyportError } from "../errors.ts";
import { SessionId } from "../names.ts";

/*
 * A block holds at most 64 KiB of frames or one second of them, zstd-compressed, chained by SHA-256 to the block
 * before it, and signed by the host's Ed25519 key. Layout, all numbers big-endian:
 *
 *   magic "SPB1" | session id (30 ASCII) | sequence u32 | flags u8 | frames u32 | raw length u32 | payload length u32
 *   | previous hash (32) | payload | signature (64)
 *
 * The block's hash is SHA-256 of everything but the signature; the signature is over a context string and that hash.
 */

const MAGIC = Buffer.from("SPB1");
const SIGNATURE_CONTEXT = Buffer.from("sallyport-block-v1\0");
const ID_LENGTH = 30;
/** Bytes before the payload. */
export const BLOCK_HEAD_LENGTH: number = 4 + ID_LENGTH + 4 + 1 + 4 + 4 + 4 + 32;
const SIGNATURE_LENGTH = 64;
const FLAG_LAST = 1;

/** Most bytes of frames that one block may hold: 64 KiB of data, and one more frame that crossed the limit. */
export const MAX_BLOCK_RAW = 160 * 1024;
/** Most bytes of a whole block. */
export const MAX_BLOCK = MAX_BLOCK_RAW + 4096;
/** The hash before the first block. */
export const NO_HASH: Uint8Array = new Uint8Array(32);

export interface BlockHeader {
  session: SessionId;
  sequence: number;
  /** The block with the end record. */
  last: boolean;
  frameCount: number;
  rawLength: number;
  payloadLength: number;
  previousHash: Uint8Array;
}

export interface Block extends BlockHeader {
  /** SHA-256 over header and payload: the next block's `previousHash`. */
  hash: Uint8Array;
  signature: Uint8Array;
  payload: Uint8Array;
  /** The whole block as stored and sent. */
  bytes: Uint8Array;
}

export interface SealInput {
  session: SessionId;
  sequence: number;
  last: boolean;
  frameCount: number;
  /** The frames, encoded one behind the other. */
  raw: Uint8Array;
  /** `raw` compressed already, where the caller did it off its main thread. */
  compressed?: Uint8Array;
  previousHash: Uint8Array;
  /** Memory for the block, of {@link MAX_BLOCK} bytes, instead of new; the result is valid until it is used again. */
  memory?: Buffer;
}

/** Makes a block: compresses, chains, signs. */
export function sealBlock(input: SealInput, hostKey: KeyObject): Block {
  if (input.raw.length > MAX_BLOCK_RAW)
    throw new TypeError(`a block holds at most ${MAX_BLOCK_RAW} bytes of frames`);
  const payload = input.compressed ?? zstdCompressSync(input.raw);
  const length = BLOCK_HEAD_LENGTH + payload.length + SIGNATURE_LENGTH;
  const bytes = input.memory?.subarray(0, length) ?? Buffer.allocUnsafe(length);
  MAGIC.copy(bytes, 0);
  bytes.write(input.session, 4, "latin1");
  let at = 4 + ID_LENGTH;
  at = bytes.writeUInt32BE(input.sequence, at);
  at = bytes.writeUInt8(input.last ? FLAG_LAST : 0, at);
  at = bytes.writeUInt32BE(input.frameCount, at);
  at = bytes.writeUInt32BE(input.raw.length, at);
  at = bytes.writeUInt32BE(payload.length, at);
  bytes.set(input.previousHash, at);
  bytes.set(payload, BLOCK_HEAD_LENGTH);
  const signed = bytes.subarray(0, BLOCK_HEAD_LENGTH + payload.length);
  const hash = digest("sha256", signed, "buffer");
  const signature = sign(null, Buffer.concat([SIGNATURE_CONTEXT, hash]), hostKey);
  bytes.set(signature, signed.length);
  const { session, sequence, last, frameCount, previousHash } = input;
  const lengths = { rawLength: input.raw.length, payloadLength: payload.length };
  return { session, sequence, last, frameCount, ...lengths, previousHash, payload, hash, signature, bytes };
}

/** Length of the block that starts at `offset`, or undefined when its header is not there whole. */
export function blockLengthAt(bytes: Uint8Array, offset: number): number | undefined {
  if (bytes.length - offset < BLOCK_HEAD_LENGTH) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_HEAD_LENGTH);
  return BLOCK_HEAD_LENGTH + view.getUint32(4 + ID_LENGTH + 13) + SIGNATURE_LENGTH;
}

/** Reads one block, structurally: neither chain nor signature is checked here. Code `recording-malformed`. */
export function parseBlock(bytes: Uint8Array): Block {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (
    buffer.length < BLOCK_HEAD_LENGTH + SIGNATURE_LENGTH ||
    buffer.length > MAX_BLOCK ||
    !buffer.subarray(0, 4).equals(MAGIC)
  ) {
    throw new SallyportError("recording-malformed", "This is not a block of a recording.");
  }
  const session = SessionId.safeParse(buffer.toString("latin1", 4, 4 + ID_LENGTH));
  if (!session.success) throw new SallyportError("recording-malformed", "A block names no session.");
  let at = 4 + ID_LENGTH;
  const sequence = buffer.readUInt32BE(at);
  const flags = buffer.readUInt8(at + 4);
  const frameCount = buffer.readUInt32BE(at + 5);
  const rawLength = buffer.readUInt32BE(at + 9);
  const payloadLength = buffer.readUInt32BE(at + 13);
  at += 17;
  if (
    flags > FLAG_LAST ||
    rawLength > MAX_BLOCK_RAW ||
    BLOCK_HEAD_LENGTH + payloadLength + SIGNATURE_LENGTH !== buffer.length
  ) {
    throw new SallyportError(
      "recording-malformed",
      `Block ${sequence} has a header that does not fit its data.`,
    );
  }
  const signed = buffer.subarray(0, BLOCK_HEAD_LENGTH + payloadLength);
  return {
    session: session.data,
    sequence,
    last: flags === FLAG_LAST,
    frameCount,
    rawLength,
    payloadLength,
    previousHash: buffer.subarray(at, at + 32),
    payload: buffer.subarray(BLOCK_HEAD_LENGTH, BLOCK_HEAD_LENGTH + payloadLength),
    hash: digest("sha256", signed, "buffer"),
    signature: buffer.subarray(BLOCK_HEAD_LENGTH + payloadLength),
    bytes: buffer,
  };
}

/** Checks the host's signature on a block. Code `recording-bad-signature`, naming the block. */
export function verifyBlockSignature(block: Block, hostKey: KeyObject): void {
  if (!verify(null, Buffer.concat([SIGNATURE_CONTEXT, block.hash]), hostKey, block.signature)) {
    throw new SallyportError("recording-bad-signature", `Block ${block.sequence} is not signed by its host.`);
  }
}

/** The frames of a block, decompressed with a limit, still encoded. Code `recording-malformed`, naming the block. */
export function blockFrames(block: Block): Uint8Array {
  let raw: Uint8Array;
  try {
    raw = zstdDecompressSync(block.payload, { maxOutputLength: MAX_BLOCK_RAW });
  } catch (cause) {
    throw new SallyportError("recording-malformed", `Block ${block.sequence} cannot be decompressed.`, {
      cause,
    });
  }
  if (raw.length !== block.rawLength) {
    throw new SallyportError(
      "recording-malformed",
      `Block ${block.sequence} is not as long as its header says.`,
    );
  }
  return raw;
}
