import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AccountNotes } from "../../../../agent/src/sessions/account-notes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("notes on shared accounts", () => {
  it("are taken once, found by a later agent, and removed", () => {
    const directory = temporaryDirectory();
    const notes = new AccountNotes(directory);
    notes.take("deploy", 60_001);
    const first = notes.read("deploy");
    notes.take("deploy", 60_001);
    notes.close();
    const later = new AccountNotes(directory);
    assert.deepEqual(later.read("deploy"), first);
    assert.deepEqual(later.accounts, ["deploy"]);
    later.remove("deploy");
    assert.deepEqual(later.accounts, []);
  });

  it("that a crash has cut off are none, and are taken anew", () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "deploy"), '{"v":1,"acc');
    const notes = new AccountNotes(directory);
    assert.equal(notes.read("deploy"), null);
    assert.deepEqual(notes.accounts, []);
    notes.take("deploy", 60_001);
    assert.equal(notes.read("deploy")?.uid, 60_001);
    notes.close();
  });
});
