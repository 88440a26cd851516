import assert from "node:assert/strict";
import { SshReader, SshWriter } from "@sallyport/core/ssh/wire.ts";
import fc from "fast-check";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const reader = (digits: string) => new SshReader(Buffer.from(digits, "hex"));

describe("SSH wire types (RFC 4251 §5)", () => {
  // The examples of RFC 4251 §5, and the edges around a byte.
  const mpints: [bigint, string][] = [
    [0n, "00000000"],
    [0x9a378f9b2e332a7n, "0000000809a378f9b2e332a7"],
    [0x80n, "000000020080"],
    [-0x1234n, "00000002edcc"],
    [-0xdeadbeefn, "00000005ff21524111"],
    [0x7fn, "000000017f"],
    [-1n, "00000001ff"],
    [-128n, "0000000180"],
    [-129n, "00000002ff7f"],
  ];
  for (const [value, encoded] of mpints) {
    it(`encodes the mpint ${value}`, () => {
      assert.equal(hex(new SshWriter().mpint(value).bytes()), encoded);
      assert.equal(reader(encoded).mpint(), value);
    });
  }

  it("gives back what it wrote, whatever it was", () => {
    const values = fc.record({
      byte: fc.integer({ min: 0, max: 255 }),
      word: fc.integer({ min: 0, max: 0xffffffff }),
      long: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
      bytes: fc.uint8Array(),
      text: fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")),
      number: fc.bigInt({ min: -(1n << 600n), max: 1n << 600n }),
    });
    fc.assert(
      fc.property(values, ({ byte, word, long, bytes, text, number }) => {
        const writer = new SshWriter().uint8(byte).uint32(word).uint64(long);
        const back = new SshReader(writer.string(bytes).text(text).mpint(number).raw(bytes).bytes());
        assert.equal(back.uint8(), byte);
        assert.equal(back.uint32(), word);
        assert.equal(back.uint64(), long);
        assert.deepEqual(back.string(), bytes);
        assert.equal(back.text(), text);
        assert.equal(back.mpint(), number);
        assert.deepEqual(back.rest(), bytes);
        back.end();
      }),
    );
  });

  const refused: [string, string, (reader: SshReader) => unknown][] = [
    ["a byte of nothing", "", (r) => r.uint8()],
    ["a short uint32", "000000", (r) => r.uint32()],
    ["a short uint64", "00000000000000", (r) => r.uint64()],
    ["a string longer than the data", "0000000361", (r) => r.string()],
    ["a string of 4 GiB", "ffffffff61", (r) => r.string()],
    ["a string over its limit", "000000026161", (r) => r.string(1)],
    ["text that is not UTF-8", "00000001ff", (r) => r.text()],
    ["text with an overlong encoding", "00000002c0af", (r) => r.text()],
    ["text with a surrogate", "00000003eda080", (r) => r.text()],
    ["text with a NUL", "00000003610062", (r) => r.text()],
    ["text with a NUL at its end, which OpenSSH drops", "000000026100", (r) => r.text()],
    ["an mpint of zero with a byte", "0000000100", (r) => r.mpint()],
    ["an mpint with a zero too many", "00000002007f", (r) => r.mpint()],
    ["a negative mpint with a byte too many", "00000002ff80", (r) => r.mpint()],
    ["an mpint beyond all keys", `00001001${"7f".repeat(4097)}`, (r) => r.mpint()],
    ["bytes left over", "00", (r) => r.end()],
  ];
  for (const [what, digits, read] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => read(reader(digits)), { code: "ssh-malformed" }));
  }

  it("keeps a byte order mark, so that two texts never look like one", () => {
    assert.equal(reader("00000004efbbbf61").text(), "\uFEFFa");
  });

  const mistakes: [string, () => unknown][] = [
    ["a byte of 256", () => new SshWriter().uint8(256)],
    ["a negative uint32", () => new SshWriter().uint32(-1)],
    ["half a uint32", () => new SshWriter().uint32(0.5)],
    ["a uint64 of 65 bits", () => new SshWriter().uint64(1n << 64n)],
    ["text with a NUL", () => new SshWriter().text("a\0")],
    ["text with a lone surrogate", () => new SshWriter().text("\ud800")],
    ["an mpint beyond all keys", () => new SshWriter().mpint(1n << 40000n)],
  ];
  for (const [what, write] of mistakes) it(`does not write ${what}`, () => assert.throws(write, TypeError));
});
