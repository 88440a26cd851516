import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UidLedger } from "@sallyport/agent/accounts/uid-ledger.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { AccountName } from "@sallyport/core/names.ts";

const member = (letter: string) => `mem_${letter.repeat(26)}`;
const wanted = (letter: string) => ({
  memberId: member(letter),
  account: `acc-${letter}` as AccountName,
  home: "archive" as const,
});
const free = async () => false;

describe("ledger of uids", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-"));
    path = join(directory, "personal-accounts.json");
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const open = (to = 79_999) => new UidLedger(path, { from: 70_000, to });

  it("gives each member a uid, the same one for ever, also after a restart", async () => {
    const ledger = open();
    assert.equal((await ledger.take(wanted("a"), free)).uid, 70_000);
    assert.equal((await ledger.take(wanted("b"), free)).uid, 70_001);
    ledger.setState(member("a"), "gone");
    assert.equal((await open().take(wanted("a"), free)).uid, 70_000);
  });

  it("never gives a uid twice, whatever became of the account", async () => {
    const ledger = open();
    await ledger.take(wanted("a"), free);
    ledger.setState(member("a"), "gone");
    assert.equal((await ledger.take(wanted("b"), free)).uid, 70_001);
    assert.equal((await open().take(wanted("c"), free)).uid, 70_002);
  });

  it("passes over uids that the host uses otherwise, for good", async () => {
    const ledger = open();
    assert.equal((await ledger.take(wanted("a"), async (uid) => uid < 70_003)).uid, 70_003);
    assert.equal((await open().take(wanted("b"), free)).uid, 70_004);
  });

  it("says when the range is used up", async () => {
    const ledger = open(70_000);
    await ledger.take(wanted("a"), free);
    await assert.rejects(
      ledger.take(wanted("b"), free),
      (error) => isSallyportError(error, "conflict") && /personalUids\.to/.test(error.message),
    );
  });

  it("is root's alone, and on the disk before it answers", async () => {
    await open().take(wanted("a"), free);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(JSON.parse(readFileSync(path, "utf8")).entries[0].uid, 70_000);
  });

  it("guesses nothing when it is damaged", () => {
    for (const text of ["", "{", '{"v":1,"next":70000,"entries":[{}]}', "[]"]) {
      writeFileSync(path, text);
      assert.throws(open, (error) => isSallyportError(error, "config-invalid"));
    }
  });
});
