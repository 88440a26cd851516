import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { prepareTransfer } from "@sallyport/agent/files/prepare-transfer.ts";
import { realPath } from "@sallyport/agent/files/real-path.ts";
import { sha256, TransferUnderTest } from "../support/transfer-under-test.ts";

describe("rsync through its filter", function () {
  this.timeout(20_000);
  let transfer: TransferUnderTest;
  beforeEach(() => {
    transfer = new TransferUnderTest();
  });
  afterEach(() => transfer.close());

  const told = () =>
    transfer.events
      .map(({ operation, path, result }) => `${operation} ${path.slice(transfer.home.length + 1)} ${result}`)
      .sort();
  const digests = () =>
    Object.fromEntries(
      transfer.events
        .filter(({ bytes }) => bytes !== null)
        .map(({ path, sha256 }) => [path.slice(transfer.home.length + 1), sha256]),
    );

  it("puts a tree and then what has changed of it, and tells each file", () => {
    const first = transfer.file("here/d/big", Buffer.alloc(2_000_000, 7));
    const odd = transfer.file("here/d/e/ü \\#012\nx", "odd");
    symlinkSync("big", join(transfer.here, "d/in"));
    symlinkSync("/etc/passwd", join(transfer.here, "d/out"));
    transfer.file("home/d/gone", "");
    chmodSync(join(transfer.here, "d/big"), 0o6755);
    transfer.grant("rsync", { path: transfer.home });
    assert.equal(transfer.rsync("-a", "--delete", "d/", "host:d").status, 0);
    assert.deepEqual(
      told(),
      [
        "make-directory d/e ok",
        "remove d/gone ok",
        "symlink d/in ok",
        "write d/big ok",
        "write d/e/ü \\#012\nx ok",
      ].sort(),
    );
    assert.deepEqual(digests(), { "d/big": first, "d/e/ü \\#012\nx": odd });
    assert.equal(readlinkSync(join(transfer.home, "d/in")), "big");
    assert.equal(statSync(join(transfer.home, "d/big")).mode & 0o7777, 0o755);
    assert.ok(!existsSync(join(transfer.home, "d/out")));

    appendFileSync(join(transfer.here, "d/big"), "more");
    transfer.grant("rsync", { path: transfer.home });
    const { said } = transfer.rsync("-a", "--stats", "d", "host:");
    const [, literal] = /Literal data: ([\d,]+)/.exec(said) ?? [];
    assert.ok(Number(literal?.replaceAll(",", "")) < 10_000, said);
    assert.deepEqual(digests(), { "d/big": sha256(transfer.read("here/d/big")) });
  });

  it("gets a tree by relative and absolute paths, and tells each file", () => {
    const a = transfer.file("home/d/a", "a");
    const b = transfer.file("home/d/e/b", "b");
    transfer.file("secret/key", "s3cret");
    symlinkSync(join(transfer.root, "secret"), join(transfer.home, "d/out"));
    transfer.grant("rsync", { path: transfer.home, access: "read" });
    assert.equal(transfer.rsync("-rt", "host:d/a", `:${transfer.home}/d/e`, "back").status, 0);
    assert.equal(transfer.read("here/back/e/b"), "b");
    assert.deepEqual(digests(), { "d/a": a, "d/e/b": b });
    assert.equal(transfer.rsync("-aR", "host:d/e", "named").status, 0);
    assert.equal(transfer.read("here/named/d/e/b"), "b");
  });

  it("gives a file another name, and reads names from the stream that lead nowhere else", () => {
    const a = transfer.file("here/a", "a");
    transfer.file("here/list", "../secret/key\n/../secret/key\nsrv/b\n");
    transfer.file("home/srv/b", "b");
    transfer.file("secret/key", "s3cret");
    transfer.grant("rsync", { path: transfer.home });
    assert.equal(transfer.rsync("a", "host:other").status, 0);
    assert.deepEqual(digests(), { other: a });
    assert.equal(transfer.rsync("-a", "--files-from=list", "host:", "back").status, 23);
    assert.ok(
      !existsSync(join(transfer.here, "secret")) && !existsSync(join(transfer.here, "back/secret/key")),
    );
    assert.equal(transfer.read("here/back/srv/b"), "b");
  });

  it("tells of files whose names rsync's log has no room for", () => {
    const long = Array.from({ length: 5 }, (_, i) => `${i}`.repeat(230)).join("/");
    const longer = Array.from({ length: 10 }, (_, i) => `${i}`.repeat(230)).join("/");
    const written = transfer.file(`here/d/${long}/a`, "a");
    transfer.file(`here/d/${longer}/b`, "b");
    const next = transfer.file("here/d/z", "z");
    transfer.grant("rsync", { path: transfer.home });
    assert.equal(transfer.rsync("-a", "d/", "host:").status, 0);
    const files = transfer.events.filter(({ operation }) => operation === "write");
    assert.deepEqual(
      files
        .map(({ path, sha256 }) => [path.slice(transfer.home.length + 1).slice(0, long.length + 2), sha256])
        .sort(),
      [
        [longer.slice(0, long.length + 2), null],
        [`${long}/a`, written],
        ["z", next],
      ],
    );
    assert.match(files.find((one) => one.sha256 === null)?.detail ?? "", /too long for rsync's log/);
  });

  it("says what is too large", () => {
    transfer.file("here/big", Buffer.alloc(200_001));
    transfer.file("here/small", "small");
    transfer.grant("rsync", { path: transfer.home, maxFileSize: 200_000 });
    const { said } = transfer.rsync("-a", "--max-size=1g", "big", "small", "host:");
    assert.match(said, /big is over max-size/);
    assert.deepEqual(told(), ["write big refused", "write small ok"]);
    const [command] = transfer.commands;
    assert.ok(command?.argv?.includes("--max-size=200000"));
  });

  it("does not read what may only be written", () => {
    transfer.file("here/a", Buffer.alloc(100_000, 1));
    transfer.file("home/a", Buffer.alloc(90_000, 1));
    transfer.grant("rsync", { path: transfer.home, access: "write" });
    assert.match(transfer.rsync("host:a", "b").said, /a is not in a directory that may be read here/);
    const { said } = transfer.rsync("-a", "--stats", "a", "host:");
    assert.match(said, /Literal data: 100,000/);
    assert.ok(transfer.commands[1]?.argv?.includes("--whole-file"));
    const grants = transfer.grant("rsync", { path: transfer.home, access: "write" });
    const around = { home: transfer.home, real: realPath };
    const prepared = prepareTransfer("rsync", "rsync --server --no-W -r . .", grants, around);
    const argv = "argv" in prepared ? prepared.argv : [];
    assert.ok(argv.includes("--no-W"));
    assert.ok(argv.indexOf("--no-W") < argv.indexOf("--whole-file"), "rsync takes the later of the two");
  });

  it("does not start for what leads outside, or has less granted inside", () => {
    mkdirSync(join(transfer.home, "d/public"), { recursive: true });
    symlinkSync(join(transfer.root, "here"), join(transfer.home, "out"));
    const grants = transfer.grant(
      "rsync",
      { path: transfer.home, access: "read" },
      { path: join(transfer.home, "d") },
      { path: join(transfer.home, "d/public"), access: "read" },
    );
    const around = { home: transfer.home, real: realPath };
    const prepared = (command: string) => prepareTransfer("rsync", command, grants, around);
    for (const command of [
      "rsync --server -r . /etc",
      "rsync --server -r . ../here",
      "rsync --server -r . out/x",
      "rsync --server -r . x",
      "rsync --server -r . d",
      "rsync --server -r . d/public",
      "rsync --server -r . d/x",
      "rsync --server --sender -r . out",
      "rsync --server --sender -r . d out",
      "rsync --server --sender -r . /",
      "rsync --server --sender -r . *",
      "rsync --server -r . d/x;id",
    ])
      assert.ok("detail" in prepared(command), command);
    mkdirSync(join(transfer.home, "d/x"));
    for (const command of [
      "rsync --server -r --link-dest ../../../here . d/x",
      "rsync --server -r --backup-dir /etc . d/x",
      "rsync --server -r --backup-dir ../public . d/x",
      "rsync --server -r --temp-dir ../../out . d/x",
      "rsync --server -r --partial-dir ../../y . d/x",
    ])
      assert.ok("detail" in prepared(command), command);
    const linked = prepared("rsync --server -r --link-dest ../public --partial-dir .part . d/x/");
    assert.ok("argv" in linked);
    assert.deepEqual(linked.argv.slice(-4), [
      `--link-dest=${transfer.home}/d/public`,
      "--partial-dir=.part",
      ".",
      `${transfer.home}/d/x/`,
    ]);
    assert.deepEqual(linked.confine.directories, [
      { path: join(transfer.home, "d/x"), access: "read-write", maxFileSize: null },
      { path: join(transfer.home, "d/public"), access: "read", maxFileSize: null },
    ]);
    assert.ok(linked.needsConfinement);
  });
});
