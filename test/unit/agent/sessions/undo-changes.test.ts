import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { undoChanges } from "../../../../agent/src/sessions/undo-changes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("undoing changes of an account's jobs", () => {
  const place = temporaryDirectory();
  const changes = { jobs: [], crontabs: [], atUsed: false, cronUsed: true };
  const kept = { text: Buffer.from("theirs\n").toString("base64"), mode: 0o600, owner: 1234, group: 101 };

  it("puts a crontab back with its owner and mode, also where it is gone", () => {
    for (const now of ["mine\n", null]) {
      const path = join(place.path, "deploy");
      if (now !== null) writeFileSync(path, now);
      assert.deepEqual(undoChanges({ ...changes, crontabs: [{ path, before: kept }] }), [
        `${path} was put back`,
      ]);
      assert.equal(readFileSync(path, "utf8"), "theirs\n");
      const { mode, uid, gid } = statSync(path);
      assert.deepEqual([mode & 0o777, uid, gid], [0o600, 1234, 101]);
    }
    assert.deepEqual(readdirSync(place.path), ["deploy"]);
  });

  it("follows no link that lies where it writes", () => {
    const target = join(place.path, "target");
    writeFileSync(target, "untouched");
    symlinkSync(target, join(place.path, "tmp.sallyport"));
    undoChanges({ ...changes, crontabs: [{ path: join(place.path, "deploy"), before: kept }] });
    assert.equal(readFileSync(target, "utf8"), "untouched");
  });

  it("removes new jobs and a new crontab, gone or not", () => {
    const [job, path] = [join(place.path, "a00001"), join(place.path, "deploy")];
    writeFileSync(path, "mine\n");
    const said = undoChanges({ ...changes, jobs: [job], crontabs: [{ path, before: null }] });
    assert.deepEqual(said, [`at job ${job}`, `${path} was removed`]);
    assert.equal(existsSync(path), false);
  });
});
