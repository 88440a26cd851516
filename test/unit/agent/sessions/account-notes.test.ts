import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AccountNotes } from "../../../../agent/src/sessions/account-notes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("notes on shared accounts", () => {
  const place = temporaryDirectory();
  it("are taken once, found by a later agent, and removed", () => {
    const notes = new AccountNotes(place.path);
    notes.take("deploy", 60_001);
    const first = notes.read("deploy");
    notes.take("deploy", 60_001);
    notes.close();
    const later = new AccountNotes(place.path);
    assert.deepEqual(later.read("deploy"), first);
    assert.deepEqual(later.accounts, ["deploy"]);
    later.remove("deploy");
    assert.deepEqual(later.accounts, []);
  });

  it("that a crash has cut off are none, and are taken anew", () => {
    writeFileSync(join(place.path, "deploy"), '{"v":1,"acc');
    const notes = new AccountNotes(place.path);
    assert.equal(notes.read("deploy"), null);
    assert.deepEqual(notes.accounts, []);
    notes.take("deploy", 60_001);
    assert.equal(notes.read("deploy")?.uid, 60_001);
    notes.close();
  });
});
