import assert from "node:assert/strict";
import { LineReader } from "@sallyport/agent/recorders/control-messages.ts";
import fc from "fast-check";

describe("JSON lines between agent and recorders", () => {
  it("come out whole, however the stream is cut", () => {
    const line = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\n", ""));
    fc.assert(
      fc.property(fc.array(line), fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (lines, sizes) => {
        const reader = new LineReader();
        const stream = lines.map((one) => `${one}\n`).join("");
        const found: string[] = [];
        for (let at = 0; at < stream.length; ) {
          const size = sizes.next().value as number;
          found.push(...reader.push(stream.slice(at, at + size)));
          at += size;
        }
        assert.deepEqual(found, lines);
      }),
    );
  });

  it("may be long: a recorder says of all its sessions in one", () => {
    const reader = new LineReader();
    const piece = "x".repeat(1024 * 1024);
    for (let i = 0; i < 8; i++) assert.deepEqual(reader.push(piece), []);
    assert.equal(reader.push("\n{}\n{").length, 2);
  });
});
