import assert from "node:assert/strict";
import { ReadableFiles } from "@sallyport/agent/confinement/readable-files.ts";

describe("what a confined program may read", () => {
  it("is found the same a piece at a time, beside other work", async () => {
    const [beside, atOnce] = [new ReadableFiles(() => 0), new ReadableFiles(() => 0)];
    let turns = 0;
    const other = setInterval(() => turns++, 1);
    await beside.prepare("system");
    clearInterval(other);
    assert.ok(turns > 0, "nothing else had a turn");
    assert.deepEqual(beside.paths("system"), atOnce.paths("system"));
  });

  it("is looked for again when it is old, and what was found before counts until then", async () => {
    let now = 0;
    const files = new ReadableFiles(() => now);
    const first = files.paths("loading");
    now = 3_600_000;
    assert.equal(files.paths("loading"), first);
    await files.prepare("loading");
    assert.notEqual(files.paths("loading"), first);
    assert.deepEqual(files.paths("loading"), first);
  });
});
