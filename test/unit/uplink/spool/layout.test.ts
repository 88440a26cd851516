import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listOpenBlocks, listRecordings, openBlockPath } from "@sallyport/uplink/spool/layout.ts";
import { makeSpool, newSession } from "./spool.ts";

describe("the layout of a spool", () => {
  it("lists recordings by name, oldest first, and passes over everything else", () => {
    const spool = makeSpool();
    const sessions = [1, 2, 3].map(() => newSession()).sort();
    for (const name of [...sessions.toReversed(), "lost+found", "ses_x", ".hidden", `${sessions[0]}.bak`]) {
      mkdirSync(join(spool.path, name));
    }
    assert.deepEqual(listRecordings(spool.path), sessions);
    spool.remove();
  });

  it("lists raw frames by number, and passes over everything else", () => {
    const spool = makeSpool();
    for (const number of [10, 9, 0]) writeFileSync(openBlockPath(spool.path, number), "");
    for (const name of [
      "blocks",
      "owner",
      "x.open",
      "-1.open",
      "1.open.new",
      "1e3.open",
      "007.open",
      ".open",
    ]) {
      writeFileSync(join(spool.path, name), "");
    }
    assert.deepEqual(listOpenBlocks(spool.path), [0, 9, 10]);
    spool.remove();
  });
});
