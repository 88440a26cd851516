import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { prepareTransfer } from "@sallyport/agent/files/prepare-transfer.ts";
import { realPath } from "@sallyport/agent/files/real-path.ts";
import { type FileEvent, sha256, TransferUnderTest } from "../support/transfer-under-test.ts";

describe("scp -O through its filter", function () {
  this.timeout(20_000);
  let transfer: TransferUnderTest;
  beforeEach(() => {
    transfer = new TransferUnderTest();
  });
  afterEach(() => transfer.close());

  const told = () =>
    transfer.events.map(({ operation, path, result, bytes, sha256 }: FileEvent) => ({
      is: `${operation} ${path.slice(transfer.home.length + 1)} ${result}`,
      bytes,
      sha256,
    }));

  it("puts a tree, and tells each file", () => {
    const big = transfer.file("here/d/b", Buffer.alloc(700_000, 7));
    const empty = transfer.file("here/d/e/c", "");
    utimesSync(join(transfer.here, "d/b"), 1e9, 1e9);
    chmodSync(join(transfer.here, "d/b"), 0o6755);
    transfer.grant("legacy-scp", { path: transfer.home });
    assert.deepEqual(transfer.scp("-rp", "d", "host:new"), { status: 0, said: "" });
    assert.equal(sha256(transfer.read("home/new/b")), sha256(transfer.read("here/d/b")));
    const { mtimeMs, mode } = statSync(join(transfer.home, "new/b"));
    assert.deepEqual([mtimeMs, mode & 0o7777], [1e12, 0o755]);
    assert.deepEqual(
      told().sort((a, b) => a.is.localeCompare(b.is)),
      [
        { is: "make-directory new ok", bytes: null, sha256: null },
        { is: "make-directory new/e ok", bytes: null, sha256: null },
        { is: "write new/b ok", bytes: 700_000, sha256: big },
        { is: "write new/e/c ok", bytes: 0, sha256: empty },
      ],
    );
  });

  it("gets a tree, and leaves out what a symbolic link has outside", () => {
    const digest = transfer.file("home/d/a", "hello");
    transfer.file("secret/key", "s3cret");
    symlinkSync(join(transfer.root, "secret"), join(transfer.home, "d/out"));
    symlinkSync(join(transfer.root, "secret/key"), join(transfer.home, "d/key"));
    symlinkSync("a", join(transfer.home, "d/same"));
    transfer.grant("legacy-scp", { path: transfer.home, access: "read" });
    const { status, said } = transfer.scp("-r", "host:d", "back");
    assert.equal(status, 1);
    assert.match(said, /scp: \S+\/d\/out: it is not in a directory that may be read here/);
    assert.match(said, /scp: \S+\/d\/key: it is not in a directory that may be read here/);
    assert.equal(transfer.read("here/back/a"), "hello");
    assert.equal(transfer.read("here/back/same"), "hello");
    assert.ok(!existsSync(join(transfer.here, "back/key")) && !existsSync(join(transfer.here, "back/out")));
    assert.deepEqual(
      told()
        .filter(({ is }) => !is.endsWith(" ok"))
        .map(({ is }) => is)
        .sort(),
      ["list d/out refused", "read d/key refused"],
    );
    assert.deepEqual(
      told().filter(({ bytes }) => bytes !== null),
      [
        { is: "read d/a ok", bytes: 5, sha256: digest },
        { is: "read d/a ok", bytes: 5, sha256: digest },
      ],
    );
  });

  it("refuses a file that is too large, and goes on with the next", () => {
    transfer.file("here/big", Buffer.alloc(1001));
    transfer.file("here/small", Buffer.alloc(1000));
    transfer.grant("legacy-scp", { path: transfer.home, maxFileSize: 1000 });
    const { status, said } = transfer.scp("big", "small", "host:");
    assert.equal(status, 1);
    assert.match(said, /big: it has 1001 bytes; at most 1000 may be put there/);
    assert.deepEqual(
      told().map(({ is }) => is),
      ["write big refused", "write small ok"],
    );
    assert.ok(!existsSync(join(transfer.home, "big")));
  });

  it("does not write through a symbolic link that leads outside, dangling or not", () => {
    transfer.file("here/d/passwd", "evil");
    transfer.file("here/d/new", "evil");
    transfer.file("outside/passwd", "good");
    mkdirSync(join(transfer.home, "d"));
    symlinkSync(join(transfer.root, "outside/passwd"), join(transfer.home, "d/passwd"));
    symlinkSync(join(transfer.root, "outside/new"), join(transfer.home, "d/new"));
    transfer.grant("legacy-scp", { path: transfer.home });
    assert.equal(transfer.scp("-r", "d", "host:").status, 1);
    assert.equal(transfer.read("outside/passwd"), "good");
    assert.ok(!existsSync(join(transfer.root, "outside/new")));
  });

  it("keeps the direction, also in a directory inside", () => {
    transfer.file("home/drop/a", "a");
    transfer.file("home/drop/public/b", "b");
    transfer.grant(
      "legacy-scp",
      { path: transfer.home, access: "write" },
      {
        path: join(transfer.home, "drop/public"),
        access: "read",
      },
    );
    assert.match(
      transfer.scp("host:drop/a", ".").said,
      /drop\/a is not in a directory that may be read here/,
    );
    assert.equal(transfer.scp("host:drop/public/b", ".").status, 0);
    assert.match(transfer.scp("b", "host:drop/public/").said, /may be written here/);
    assert.equal(transfer.scp("-r", "../home/drop", "host:copy").status, 0);
    mkdirSync(join(transfer.here, "drop/public"), { recursive: true });
    transfer.file("here/drop/public/c", "c");
    assert.equal(transfer.scp("-r", "drop", "host:").status, 1);
    assert.ok(!existsSync(join(transfer.home, "drop/public/c")));
  });

  it("tells what the host's scp could not do as failed", () => {
    transfer.file("here/a", "a");
    mkdirSync(join(transfer.home, "x/a"), { recursive: true });
    transfer.grant("legacy-scp", { path: transfer.home });
    const { status } = transfer.scp("a", "host:x");
    assert.equal(status, 1);
    assert.deepEqual(
      told().map(({ is }) => is),
      ["write x/a failed"],
    );
  });

  it("does not start for a path that leads outside, or that only a shell would understand", () => {
    const grants = transfer.grant("legacy-scp", { path: transfer.home });
    const around = { home: transfer.home, real: realPath };
    for (const path of [
      "/etc/x",
      "..",
      "../here/x",
      "'a;b'/../../x",
      "~/x",
      "*",
      "$HOME",
      "x;id",
      "a\\ b/../../x",
    ])
      assert.ok("detail" in prepareTransfer("legacy-scp", `scp -t ${path}`, grants, around), path);
    transfer.file("here/a", "a");
    const { status, said } = transfer.scp("a", "host:../x");
    assert.equal(status, 1);
    assert.match(said, /\.\.\/x is not in a directory that may be written here/);
  });
});
