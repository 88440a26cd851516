import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { SallyportError } from "@sallyport/core/errors.ts";
import {
  BLOCK_HEAD_LENGTH,
  type Block,
  blockFrames,
  blockLengthAt,
  MAX_BLOCK,
  MAX_BLOCK_RAW,
  NO_HASH,
  parseBlock,
  type SealInput,
  sealBlock,
  verifyBlockSignature,
} from "@sallyport/core/recording/block.ts";
import { splitBlocks } from "@sallyport/core/recording/chain.ts";
import fc from "fast-check";
import { encodeFrames, hostKeys, output, SESSION } from "./recordings.ts";

const raw = encodeFrames([output(1, "hello"), output(2, "world")]);
const input: SealInput = {
  session: SESSION,
  sequence: 7,
  last: true,
  frameCount: 2,
  raw,
  previousHash: Buffer.alloc(32, 9),
};
const block = sealBlock(input, hostKeys.privateKey);

/** The block's bytes with some of them replaced. */
function patched(at: number, ...bytes: number[]): Uint8Array {
  const copy = Buffer.from(block.bytes);
  copy.set(bytes, at);
  return copy;
}

describe("a block", () => {
  it("comes back from its bytes as it was sealed", () => {
    const parsed = parseBlock(block.bytes);
    const { session, sequence, last, frameCount, rawLength, payloadLength } = parsed;
    assert.deepEqual([session, sequence, last, frameCount, rawLength], [SESSION, 7, true, 2, raw.length]);
    assert.equal(block.bytes.length, BLOCK_HEAD_LENGTH + payloadLength + 64);
    assert.deepEqual(Buffer.from(parsed.previousHash), Buffer.alloc(32, 9));
    assert.deepEqual(Buffer.from(blockFrames(parsed)), Buffer.from(raw));
    verifyBlockSignature(parsed, hostKeys.publicKey);
  });

  it("may be compressed beforehand, at any level", () => {
    const sealed = sealBlock({ ...input, compressed: zstdCompressSync(raw) }, hostKeys.privateKey);
    assert.deepEqual(Buffer.from(blockFrames(sealed)), Buffer.from(raw));
  });

  it("is not mistaken when it stands in the middle of a larger buffer", () => {
    const around = Buffer.concat([Buffer.alloc(13, 1), block.bytes, Buffer.alloc(7, 1)]);
    assert.equal(blockLengthAt(around, 13), block.bytes.length);
    assert.deepEqual(parseBlock(around.subarray(13, 13 + block.bytes.length)).hash, block.hash);
  });

  it("has no length before its head is whole", () => {
    assert.equal(blockLengthAt(block.bytes.subarray(0, BLOCK_HEAD_LENGTH - 1), 0), undefined);
    assert.equal(blockLengthAt(block.bytes.subarray(0, BLOCK_HEAD_LENGTH), 0), block.bytes.length);
    assert.equal(blockLengthAt(block.bytes, block.bytes.length), undefined);
  });

  it("holds as much as it may, also of what cannot be compressed", () => {
    const noise = Buffer.alloc(MAX_BLOCK_RAW);
    for (let at = 0, x = 1; at < noise.length; at++)
      noise[at] = x = ((x * 1103515245 + 12345) & 0xff) ^ (x >> 3);
    const sealed = sealBlock({ ...input, raw: noise, compressed: storedZstd(noise) }, hostKeys.privateKey);
    assert.ok(sealed.bytes.length <= MAX_BLOCK);
    assert.equal(blockFrames(sealed).length, MAX_BLOCK_RAW);
    const tooMuch = { ...input, raw: new Uint8Array(MAX_BLOCK_RAW + 1) };
    assert.throws(() => sealBlock(tooMuch, hostKeys.privateKey), TypeError);
  });

  const structure: [what: string, bytes: Uint8Array][] = [
    ["nothing", new Uint8Array()],
    ["another magic", patched(3, 0x32)],
    ["a session that is none", patched(4, 0x2e, 0x2e, 0x2f)],
    ["a flag of a later version", patched(38, 2)],
    ["more frames' bytes than allowed", patched(43, 0xff)],
    ["a payload longer than there is", patched(50, (block.bytes[50] ?? 0) + 1)],
    ["a payload shorter than there is", patched(50, (block.bytes[50] ?? 0) - 1)],
    ["a byte behind it", Buffer.concat([block.bytes, Buffer.of(0)])],
    ["a byte missing", block.bytes.subarray(0, -1)],
    ["more than a block may have", Buffer.concat([block.bytes, Buffer.alloc(MAX_BLOCK)])],
  ];
  for (const [what, bytes] of structure) {
    it(`is refused with ${what}`, () =>
      assert.throws(() => parseBlock(bytes), { code: "recording-malformed" }));
  }

  it("is refused when another key signed it", () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    assert.throws(() => verifyBlockSignature(block, publicKey), {
      code: "recording-bad-signature",
      message: /Block 7 /,
    });
  });

  const contents: [what: string, payload: Uint8Array, rawLength: number][] = [
    ["no zstd at all", Buffer.from("no zstd"), 10],
    ["nothing where something should be", new Uint8Array(), 10],
    ["fewer bytes than it says", zstdCompressSync(Buffer.alloc(9)), 10],
    ["more bytes than it says", zstdCompressSync(Buffer.alloc(11)), 10],
    ["a bomb", zstdCompressSync(Buffer.alloc(100_000_000)), 10],
    ["zstd that is cut off", zstdCompressSync(Buffer.alloc(10)).subarray(0, -2), 10],
  ];
  for (const [what, compressed, length] of contents) {
    it(`is refused when its payload is ${what}, though signed`, () => {
      const sealed = sealBlock({ ...input, raw: new Uint8Array(length), compressed }, hostKeys.privateKey);
      assert.throws(() => blockFrames(sealed), { code: "recording-malformed", message: /Block 7 / });
    });
  }

  it("never throws anything but our error, whatever the bytes", () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      edits.map((list) => {
        const copy = Buffer.from(block.bytes);
        for (const [at, value] of list) copy[at % copy.length] = value;
        return copy;
      }),
    );
    const uses: ((bytes: Uint8Array) => unknown)[] = [
      (bytes) => parseBlock(bytes),
      (bytes) => blockFrames(parseBlock(bytes)),
      (bytes) => [...splitBlocks(bytes)],
      (bytes) => [...splitBlocks(Buffer.concat([block.bytes, bytes]))],
    ];
    fc.assert(
      fc.property(noise, (bytes) => {
        for (const use of uses) onlyOurError(() => use(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it("begins with the hash of nothing", () => {
    const first: Block = sealBlock({ ...input, sequence: 0, previousHash: NO_HASH }, hostKeys.privateKey);
    assert.deepEqual(Buffer.from(first.previousHash), Buffer.alloc(32));
  });
});

function onlyOurError(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof SallyportError && error.code === "recording-malformed");
  }
}

/** A zstd frame of raw blocks: the largest that incompressible bytes become. RFC 8878 §3.1.1. */
function storedZstd(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from("28b52ffd", "hex"), Buffer.of(0xa0), sizeOf(bytes.length, 4)];
  const step = 128 * 1024;
  for (let at = 0; at < bytes.length; at += step) {
    const piece = bytes.subarray(at, at + step);
    const last = at + step >= bytes.length ? 1 : 0;
    parts.push(sizeOf((piece.length << 3) | last, 3), piece);
  }
  return Buffer.concat(parts);
}

function sizeOf(value: number, bytes: number): Uint8Array {
  const size = Buffer.alloc(bytes);
  size.writeUIntLE(value, 0, bytes);
  return size;
}
