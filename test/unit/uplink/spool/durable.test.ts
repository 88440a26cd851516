import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { syncDirectories, syncDirectory, writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { descriptorsBelow, makeSmallSpool, makeSpool } from "./spool.ts";

describe("a file that is written durably", () => {
  it("is the new one, whole, and nothing is left beside it", async () => {
    const spool = makeSpool();
    const path = join(spool.path, "file");
    for (const data of ["first", "", Buffer.alloc(100_000, 7)]) {
      writeFileDurably(path, data);
      assert.deepEqual(readFileSync(path), Buffer.from(data));
    }
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(spool.path), ["file"]);
    syncDirectory(spool.path);
    await syncDirectories([spool.path]);
    assert.deepEqual(descriptorsBelow(spool.path), []);
    spool.remove();
  });

  it("is the old one, whole, when there is no room for the new one", () => {
    const spool = makeSmallSpool("size=16k");
    const path = join(spool.path, "file");
    writeFileDurably(path, "old");
    assert.throws(() => writeFileDurably(path, Buffer.alloc(100_000)), { code: "ENOSPC" });
    assert.equal(readFileSync(path, "utf8"), "old");
    assert.deepEqual(readdirSync(spool.path), ["file"]);
    spool.remove();
  });

  it("is not written through what somebody else left in its way", () => {
    const spool = makeSpool();
    const path = join(spool.path, "file");
    mkdirSync(path);
    assert.throws(() => writeFileDurably(path, "new"), { code: "EISDIR" });
    assert.deepEqual(readdirSync(spool.path), ["file"]);
    writeFileSync(join(spool.path, "other.new"), "left by a crash");
    chmodSync(join(spool.path, "other.new"), 0o600);
    writeFileDurably(join(spool.path, "other"), "new");
    assert.deepEqual(readdirSync(spool.path).sort(), ["file", "other"]);
    spool.remove();
  });
});
