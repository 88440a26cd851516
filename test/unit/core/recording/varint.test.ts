import assert from "node:assert/strict";
import { readVarint, varintLength, writeVarint } from "@sallyport/core/recording/varint.ts";
import fc from "fast-check";

describe("a varint", () => {
  const rows: [value: number, hex: string][] = [
    [0, "00"],
    [1, "01"],
    [127, "7f"],
    [128, "8001"],
    [300, "ac02"],
    [16383, "ff7f"],
    [16384, "808001"],
    [2 ** 31, "8080808008"],
    [2 ** 32 - 1, "ffffffff0f"],
    [Number.MAX_SAFE_INTEGER, "ffffffffffffff0f"],
  ];
  for (const [value, hex] of rows) {
    it(`of ${value} is ${hex}`, () => {
      const bytes = new Uint8Array(10);
      assert.equal(writeVarint(bytes, 1, value), 1 + hex.length / 2);
      assert.equal(Buffer.from(bytes.subarray(1, 1 + hex.length / 2)).toString("hex"), hex);
      assert.equal(varintLength(value), hex.length / 2);
      assert.deepEqual(readVarint(bytes, 1), { value, next: 1 + hex.length / 2 });
    });
  }

  it("comes back, whatever the number", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = new Uint8Array(8);
        const length = writeVarint(bytes, 0, value);
        assert.equal(length, varintLength(value));
        assert.deepEqual(readVarint(bytes, 0), { value, next: length });
      }),
    );
  });

  const refused: [what: string, hex: string][] = [
    ["nothing", ""],
    ["one that is cut off", "80"],
    ["one that is cut off at its eighth byte", "80808080808080"],
    ["one of nine bytes", "808080808080808001"],
    ["one past the largest safe integer", "8080808080808010"],
    ["the largest of eight bytes", "ffffffffffffff7f"],
  ];
  for (const [what, hex] of refused) {
    it(`is not ${what}`, () => {
      assert.throws(() => readVarint(Buffer.from(hex, "hex"), 0), { code: "recording-malformed" });
    });
  }
});
