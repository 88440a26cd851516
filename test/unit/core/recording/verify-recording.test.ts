import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { SessionId } from "@sallyport/core/names.ts";
import { type Block, NO_HASH, sealBlock } from "@sallyport/core/recording/block.ts";
import { recordingFrames, splitBlocks, verifyRecording } from "@sallyport/core/recording/chain.ts";
import { CONTENTS, encodeFrames, frame, hostKeys, join, output, SESSION, sealAll } from "./recordings.ts";

const blocks = sealAll(CONTENTS);
const recording = join(blocks);
const verify = (bytes: Uint8Array, options?: { open?: boolean }) =>
  verifyRecording(bytes, hostKeys.publicKey, options);
const only = (...indices: number[]) => join(indices.map((index) => blockAt(index)));

function blockAt(index: number): Block {
  const block = blocks[index];
  if (block === undefined) throw new TypeError("no such block");
  return block;
}

/** Which block holds byte `at`. */
function blockWith(at: number): number {
  const ends = blocks.map((_, index) => join(blocks.slice(0, index + 1)).length);
  return ends.findIndex((end) => at < end);
}

describe("a recording", () => {
  it("that is whole is verified", () => {
    assert.deepEqual(verify(recording), {
      blocks: 4,
      frames: CONTENTS.flat().length,
      rawBytes: encodeFrames(CONTENTS.flat()).length,
      headHash: Buffer.from(blockAt(3).hash).toString("hex"),
      complete: true,
    });
  });

  it("gives its frames in order", () => {
    assert.deepEqual(
      [...recordingFrames(recording)].map(({ time, data }) => [time, Buffer.from(data).toString()]),
      CONTENTS.flat().map(({ time, data }) => [time, Buffer.from(data).toString()]),
    );
    assert.equal([...splitBlocks(recording)].length, 4);
  });

  it("is refused with any one byte altered, and the block is named", () => {
    for (const [at, mask] of Array.from(recording).flatMap((_, at) =>
      [1, 0x80, 0xff].map((mask) => [at, mask] as const),
    )) {
      const flipped = Buffer.from(recording);
      flipped[at] = (flipped[at] ?? 0) ^ mask;
      const name = new RegExp(`^Block ${blockWith(at)} `);
      assert.throws(
        () => verify(flipped),
        (error: unknown) => {
          assert.ok(isSallyportError(error));
          assert.match(error.message, name, `byte ${at}, bits ${mask}`);
          return true;
        },
      );
    }
  });

  it("is refused when it is cut off at any byte, and the block is named", () => {
    for (let cut = 0; cut < recording.length; cut++) {
      assert.throws(
        () => verify(recording.subarray(0, cut)),
        (error: unknown) => {
          assert.ok(isSallyportError(error));
          const block = blockWith(cut);
          const boundary = cut === 0 || blockWith(cut - 1) !== block;
          assert.equal(error.code, boundary ? "recording-incomplete" : "recording-malformed");
          const name = cut === 0 ? /empty/ : boundary ? `after block ${block - 1},` : `^Block ${block} `;
          assert.match(error.message, new RegExp(name), `cut at ${cut}`);
          return true;
        },
      );
    }
  });

  it("that is still open is verified as far as it goes, when asked so", () => {
    assert.deepEqual(verify(only(0, 1), { open: true }).complete, false);
    assert.equal(verify(only(0, 1), { open: true }).blocks, 2);
    assert.equal(verify(new Uint8Array(), { open: true }).blocks, 0);
    assert.throws(() => verify(only(0, 2), { open: true }), { code: "recording-broken-chain" });
  });

  const stranger = generateKeyPairSync("ed25519");
  const otherSession = SessionId.parse(`ses_${"0".repeat(25)}2`);
  const foreign = sealAll(CONTENTS, { session: otherSession });
  const forged = sealAll(CONTENTS, { key: stranger.privateKey });
  const again = sealAll([...CONTENTS.slice(0, 2), [output(4000, "x")], ...CONTENTS.slice(3)]);
  const altered = [...blocks.slice(0, 2), ...again.slice(2, 3), ...blocks.slice(3)];

  const rows: [what: string, bytes: Uint8Array, code: string, named: RegExp][] = [
    ["the first block missing", only(1, 2, 3), "recording-broken-chain", /^Block 0 is missing/],
    [
      "a block in the middle missing",
      only(0, 1, 3),
      "recording-broken-chain",
      /^Block 2 is missing: block 3/,
    ],
    ["two blocks exchanged", only(0, 2, 1, 3), "recording-broken-chain", /^Block 1 is missing: block 2/],
    ["a block twice", only(0, 1, 1, 2, 3), "recording-broken-chain", /^Block 2 is missing: block 1/],
    ["a block after the end", only(0, 1, 2, 3, 3), "recording-broken-chain", /^Block 3 comes after the end/],
    [
      "another recording behind it",
      Buffer.concat([recording, join(foreign)]),
      "recording-broken-chain",
      /^Block 4 belongs to another/,
    ],
    [
      "another session's block",
      join([...blocks.slice(0, 2), ...foreign.slice(2)]),
      "recording-broken-chain",
      /^Block 2 belongs to another/,
    ],
    [
      "a block of another take of this session",
      join(altered),
      "recording-broken-chain",
      /^Block 3 does not follow/,
    ],
    ["everything signed by another key", join(forged), "recording-bad-signature", /^Block 0 /],
    [
      "its last block signed by another key",
      join([...blocks.slice(0, 3), resealed(3, stranger.privateKey)]),
      "recording-bad-signature",
      /^Block 3 /,
    ],
    [
      "something behind it",
      Buffer.concat([recording, Buffer.from("x")]),
      "recording-malformed",
      /^Block 4 is cut off/,
    ],
    ["something before it", Buffer.concat([Buffer.from("x"), recording]), "recording-malformed", /^Block 0 /],
    ["zeros behind it", Buffer.concat([recording, Buffer.alloc(1000)]), "recording-malformed", /^Block 4 /],
    [
      "fewer frames than a block says",
      one(3, encodeFrames([output(1, "a"), output(2, "b")])),
      "recording-malformed",
      /^Block 0 /,
    ],
    [
      "frames that are cut off, signed so",
      one(1, encodeFrames([output(1, "abc")]).subarray(0, -1)),
      "recording-malformed",
      /^Block 0 /,
    ],
    [
      "a frame without a kind, signed so",
      one(1, encodeFrames([frame(0, 1, "a")])),
      "recording-malformed",
      /^Block 0 /,
    ],
  ];
  for (const [what, bytes, code, named] of rows) {
    it(`is refused with ${what}: ${code}, and the block is named`, () => {
      assert.throws(() => verify(bytes), { name: "SallyportError", code, message: named });
    });
  }

  it("of another host is refused", () => {
    assert.throws(() => verifyRecording(recording, stranger.publicKey), {
      code: "recording-bad-signature",
      message: /^Block 0 /,
    });
  });

  it("never throws anything but our error when blocks are shuffled about", () => {
    for (let order = 0; order < 4 ** 4; order++) {
      const indices = [0, 1, 2, 3].map((place) => (order >> (2 * place)) & 3);
      const whole = indices.every((index, place) => index === place);
      try {
        verify(only(...indices));
        assert.ok(whole);
      } catch (error) {
        assert.ok(error instanceof SallyportError && !whole);
      }
    }
  });
});

/** A recording of one block, signed, that says it has `frameCount` frames. */
function one(frameCount: number, raw: Uint8Array): Uint8Array {
  const input = { session: SESSION, sequence: 0, last: true, frameCount, raw, previousHash: NO_HASH };
  return sealBlock(input, hostKeys.privateKey).bytes;
}

function resealed(index: number, key: typeof hostKeys.privateKey): Block {
  const { session, sequence, last, frameCount, previousHash } = blockAt(index);
  return sealBlock(
    { session, sequence, last, frameCount, raw: encodeFrames(CONTENTS[index] ?? []), previousHash },
    key,
  );
}
