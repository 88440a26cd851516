import assert from "node:assert/strict";
import { lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { FileAccess, heldGrant, settleGrants } from "@sallyport/agent/files/file-access.ts";
import { realPath } from "@sallyport/agent/files/real-path.ts";
import type { FileGrant } from "@sallyport/core/files/file-grant.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("where a path leads", () => {
  const directory = temporaryDirectory();
  const at = (path: string) => realPath(`${directory.path}/${path}`);

  beforeEach(() => {
    mkdirSync(directory.file("a/b"), { recursive: true });
    writeFileSync(directory.file("a/b/file"), "");
    symlinkSync("a/b", directory.file("link"));
    symlinkSync("/nowhere/at/all", directory.file("dangling"));
    symlinkSync("round", directory.file("round"));
    symlinkSync(Buffer.from("\xff", "latin1"), directory.file("bytes"));
  });

  it("is after all links, dangling ones too: what would be made there counts", () => {
    assert.equal(at("link/file"), directory.file("a/b/file"));
    assert.equal(at("link/../b/./file"), directory.file("a/b/file"));
    assert.equal(at("dangling"), "/nowhere/at/all");
    assert.equal(at("dangling/more"), "/nowhere/at/all/more");
    assert.equal(at("new/er"), directory.file("new/er"));
    assert.equal(realPath("/../.."), "/");
  });

  it("is not known through what is missing, turns round, is no UTF-8 or is each process's own", () => {
    for (const path of ["new/../a", "round", "round/x", "bytes", "dangling/../x", "a\0b"])
      assert.equal(at(path), null, path);
    assert.equal(realPath("/proc/self/cwd"), null);
    assert.equal(realPath("/dev/fd/0"), null);
    assert.equal(realPath("relative"), null);
  });

  it("moves no grant by a link that its account has made", () => {
    const grant = (path: string): FileGrant => ({
      protocols: ["sftp"],
      directories: [{ path, access: "read-write", maxFileSize: null }],
    });
    symlinkSync("/etc", directory.file("a/mine"));
    lchownSync(directory.file("a/mine"), 65534, 65534);
    mkdirSync(directory.file("home"));
    symlinkSync("/etc", directory.file("home/upload"));
    const around = { home: directory.file("home"), real: (path: string) => realPath(path) };
    for (const path of [directory.file("a/mine"), "~/upload"]) {
      const grants = settleGrants([grant(path)]);
      const access = new FileAccess(grants, around);
      assert.ok(!access.mayRead("/etc/passwd"), path);
      assert.deepEqual(heldGrant(grants[0] ?? grant(path), around).directories, []);
    }
    const [settled] = settleGrants([grant(directory.file("link"))]);
    assert.equal(settled?.directories[0]?.path, directory.file("a/b"));
  });
});
