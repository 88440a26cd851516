import assert from "node:assert/strict";
import { type AccountNote, changesSince } from "../../../../agent/src/sessions/account-note.ts";

const SPOOL = "/var/spool/cron/crontabs/deploy";
const JOBS = "/var/spool/cron/atjobs";

type Job = AccountNote["jobs"][number];

function note(jobs: Job[], more: Partial<AccountNote> = {}): AccountNote {
  return {
    ...{ v: 1, account: "deploy", uid: 1000, boot: "b", begun: 100 },
    ...{ jobs, atSequence: "0001a", cronUsed: false, ...more },
  };
}

function at(name: string, inode: number): Job {
  return { path: `${JOBS}/${name}`, inode, changed: inode, crontab: null };
}

function crontab(text: string, inode = 7, changed = 1): Job {
  const kept = { text: Buffer.from(text).toString("base64"), mode: 0o600, owner: 1000, group: 101 };
  return { path: SPOOL, inode, changed, crontab: kept };
}

describe("changes of an account's jobs since a note", () => {
  it("are none where nothing changed", () => {
    const before = note([at("a00001", 1), crontab("x")]);
    assert.deepEqual(changesSince(before, note(before.jobs)), {
      ...{ jobs: [], crontabs: [] },
      ...{ atUsed: false, cronUsed: false },
    });
  });

  it("are at jobs that are new; one that has started since under another name is not", () => {
    const before = note([at("a00001", 1)]);
    const now = note([at("=00001", 1), at("a00002", 2), at("b00003", 3)], { atSequence: "0001c" });
    const changes = changesSince(before, now);
    assert.deepEqual(changes.jobs, [`${JOBS}/a00002`, `${JOBS}/b00003`]);
    assert.equal(changes.atUsed, true);
  });

  it("tell of an at job that has come and gone", () => {
    assert.equal(changesSince(note([]), note([], { atSequence: "0001b" })).atUsed, true);
  });

  const rows: [what: string, before: Job[], now: Job[], wanted: string | null | undefined][] = [
    ["a new crontab is removed", [], [crontab("mine")], null],
    ["a changed one is put back", [crontab("theirs")], [crontab("mine", 8, 2)], "theirs"],
    ["a removed one is put back", [crontab("theirs")], [], "theirs"],
    ["one that reads as before is left", [crontab("theirs")], [crontab("theirs", 8, 2)], undefined],
    [
      "one that was too long to keep is left",
      [{ ...crontab(""), crontab: null }],
      [crontab("mine", 8, 2)],
      undefined,
    ],
  ];
  for (const [what, before, now, wanted] of rows) {
    it(what, () => {
      const { crontabs, cronUsed, jobs } = changesSince(note(before), note(now));
      assert.equal(cronUsed, true);
      assert.deepEqual(jobs, []);
      const restored = crontabs.map(({ before: text }) =>
        text === null ? null : Buffer.from(text.text, "base64").toString(),
      );
      assert.deepEqual(restored, wanted === undefined ? [] : [wanted]);
    });
  }

  it("remember a crontab that was changed and changed back", () => {
    assert.equal(changesSince(note([crontab("x")], { cronUsed: true }), note([crontab("x")])).cronUsed, true);
  });
});
