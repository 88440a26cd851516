import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { undoChanges } from "../../../../agent/src/sessions/undo-changes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("undoing changes of an account's jobs", () => {
  const changes = { jobs: [], crontabs: [], atUsed: false, cronUsed: true };
  const kept = { text: Buffer.from("theirs\n").toString("base64"), mode: 0o600, owner: 1234, group: 101 };

  it("puts a crontab back with its owner and mode, also where it is gone", () => {
    const spool = temporaryDirectory();
    for (const now of ["mine\n", null]) {
      const path = join(spool, "deploy");
      if (now !== null) writeFileSync(path, now);
      assert.deepEqual(undoChanges({ ...changes, crontabs: [{ path, before: kept }] }), [
        `${path} was put back`,
      ]);
      assert.equal(readFileSync(path, "utf8"), "theirs\n");
      const { mode, uid, gid } = statSync(path);
      assert.deepEqual([mode & 0o777, uid, gid], [0o600, 1234, 101]);
    }
    assert.deepEqual(readdirSync(spool), ["deploy"]);
  });

  it("follows no link that lies where it writes", () => {
    const spool = temporaryDirectory();
    const target = join(spool, "target");
    writeFileSync(target, "untouched");
    symlinkSync(target, join(spool, "tmp.sallyport"));
    undoChanges({ ...changes, crontabs: [{ path: join(spool, "deploy"), before: kept }] });
    assert.equal(readFileSync(target, "utf8"), "untouched");
  });

  it("removes new jobs and a new crontab, gone or not", () => {
    const spool = temporaryDirectory();
    const [job, path] = [join(spool, "a00001"), join(spool, "deploy")];
    writeFileSync(path, "mine\n");
    const said = undoChanges({ ...changes, jobs: [job], crontabs: [{ path, before: null }] });
    assert.deepEqual(said, [`at job ${job}`, `${path} was removed`]);
    assert.equal(existsSync(path), false);
  });
});
