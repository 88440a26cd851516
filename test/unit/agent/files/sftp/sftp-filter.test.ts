import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { FileGrant } from "@sallyport/core/files/file-grant.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { sftp } from "./support/sftp-run.ts";

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("the SFTP filter, between sftp(1) and sftp-server", () => {
  const directory = temporaryDirectory();
  const content = randomBytes(700_001);
  const grant = (): FileGrant => ({
    protocols: ["sftp"],
    directories: [
      { path: directory.file("data"), access: "read-write", maxFileSize: null },
      { path: directory.file("data/fixed"), access: "read", maxFileSize: null },
      { path: directory.file("in"), access: "write", maxFileSize: 1000 },
      { path: directory.file("out"), access: "read", maxFileSize: null },
    ],
  });
  const batch = (...lines: string[]) => sftp(directory.path, [grant()], lines);
  /** As written in events: operation, path without the directory, result. */
  const told = (events: Awaited<ReturnType<typeof sftp>>["events"]) =>
    events
      .filter((event) => event.detail !== "opened")
      .map(({ operation, path, result }) => `${operation} ${path.replace(directory.path, "")} ${result}`);

  beforeEach(() => {
    for (const name of ["data", "data/fixed", "in", "out", "secret"]) mkdirSync(directory.file(name));
    writeFileSync(directory.file("out/report"), content);
    writeFileSync(directory.file("secret/key"), "secret");
    writeFileSync(directory.file("here"), content);
    writeFileSync(directory.file("nothing"), "");
  });

  it("lets files be put and got, and tells of each with its digest", async () => {
    const outcome = await batch(
      "put here data/there",
      "get data/there back",
      "get out/report report",
      "put nothing data/empty",
      "get data/empty empty",
    );
    assert.equal(outcome.stderr, "");
    assert.ok(readFileSync(directory.file("data/there")).equals(content));
    assert.ok(readFileSync(directory.file("report")).equals(content));
    const sha256 = digest(content);
    const closed = outcome.events.filter(({ detail }) => detail !== "opened");
    assert.deepEqual(
      closed.map((event) => [event.operation, event.path, event.bytes, event.sha256, event.result]),
      [
        ["write", directory.file("data/there"), content.length, sha256, "ok"],
        ["read", directory.file("data/there"), content.length, sha256, "ok"],
        ["read", directory.file("out/report"), content.length, sha256, "ok"],
        ["write", directory.file("data/empty"), 0, digest(Buffer.alloc(0)), "ok"],
        ["read", directory.file("data/empty"), 0, digest(Buffer.alloc(0)), "ok"],
      ],
    );
  });

  it("lets everything else be done in a directory that may be written", async () => {
    const outcome = await batch(
      "mkdir data/new",
      "put here data/new/a",
      "rename data/new/a data/new/b",
      "ln data/new/b data/new/c",
      "symlink b data/new/d",
      "chmod 4755 data/new/b",
      "ls -la data/new",
      "rm data/new/c",
      "rm data/new/d",
      "rm data/new/b",
      "rmdir data/new",
      "df data",
      "pwd",
      "cd data",
      "ls",
    );
    assert.equal(outcome.stderr, "");
    assert.equal(outcome.status, 0);
    assert.deepEqual(told(outcome.events), [
      "make-directory /data/new ok",
      "write /data/new/a ok",
      "rename /data/new/a ok",
      "link /data/new/b ok",
      "symlink /data/new/d ok",
      "set-attributes /data/new/b ok",
      "remove /data/new/c ok",
      "remove /data/new/d ok",
      "remove /data/new/b ok",
      "remove-directory /data/new ok",
    ]);
  });

  it("takes setuid and setgid out of whatever is set", async () => {
    const outcome = await batch(
      "put here data/tool",
      "chmod 6755 data/tool",
      "mkdir data/new",
      "chmod 2775 data/new",
    );
    assert.equal(outcome.stderr, "");
    assert.equal(statSync(directory.file("data/tool")).mode & 0o7777, 0o755);
    assert.equal(statSync(directory.file("data/new")).mode & 0o7777, 0o775);
  });

  const REFUSED = [
    ["get secret/key got", "list /secret/key refused"],
    ["get data/../secret/key got", "list /data/../secret/key refused"],
    ["get data/link/key got", "list /data/link/key refused"],
    ["get in/mine got", "read /in/mine refused"],
    ["put here secret/new", "write /secret/new refused"],
    ["put here out/new", "write /out/new refused"],
    ["put here data/fixed/new", "write /data/fixed/new refused"],
    ["put here data/dangling", "write /data/dangling refused"],
    ["ls secret", "list /secret refused"],
    ["ls .", "list /./ refused"],
    ["mkdir out/new", "make-directory /out/new refused"],
    ["rm out/report", "remove /out/report refused"],
    ["rmdir data/fixed", "remove-directory /data/fixed refused"],
    ["rename out/report data/report", "rename /out/report refused"],
    ["rename data/fixed data/free", "rename /data/fixed refused"],
    ["rename data/mine secret/mine", "rename /data/mine refused"],
    ["rename in/mine data/mine2", "rename /in/mine refused"],
    ["ln secret/key data/key", "link /secret/key refused"],
    ["ln data/link/key data/key", "link /data/link/key refused"],
    ["ln out/report data/report", "link /out/report refused"],
    ["ln in/mine data/mine2", "link /in/mine refused"],
    ["symlink ../secret data/other", "symlink /data/other refused"],
    ["symlink /etc data/etc", "symlink /data/etc refused"],
    ["symlink nowhere/../../secret data/etc", "symlink /data/etc refused"],
    ["chmod 777 out/report", "set-attributes /out/report refused"],
    ["chown 0 data/mine", "set-attributes /data/mine refused"],
  ] as const;

  it("refuses what is not granted, each with its event, and goes on", async () => {
    writeFileSync(directory.file("in/mine"), "mine");
    writeFileSync(directory.file("data/mine"), "mine");
    symlinkSync("../secret", directory.file("data/link"));
    symlinkSync("../secret/made", directory.file("data/dangling"));
    const outcome = await batch(...REFUSED.map(([line]) => `-${line}`), "get out/report goes-on");
    assert.equal(outcome.status, 0, outcome.stderr);
    const wanted: string[] = REFUSED.map(([, what]) => what);
    // sftp(1) looks before it puts; that is refused as well.
    const seen = told(outcome.events).filter((one) => one.endsWith("refused"));
    assert.deepEqual(
      seen.filter((one) => wanted.includes(one) || !one.startsWith("list ")),
      wanted,
    );
    assert.equal(
      outcome.stderr.split("\n").filter((line) => /permission denied|not found/i.test(line)).length,
      REFUSED.length,
    );
    assert.ok(readFileSync(directory.file("goes-on")).equals(content));
    assert.deepEqual(readdirSync(directory.file("secret")), ["key"]);
    assert.deepEqual(readdirSync(directory.file("out")), ["report"]);
    assert.deepEqual(readdirSync(directory.file("data")).sort(), ["dangling", "fixed", "link", "mine"]);
    assert.ok(!existsSync(directory.file("got")));
  });

  it("refuses a file that is too large, with its size told once", async () => {
    const outcome = await batch("-put here in/large", "put events in/small");
    assert.ok(statSync(directory.file("in/large")).size <= 1000);
    const refused = outcome.events.filter(({ result }) => result === "refused");
    assert.deepEqual(told(refused), ["write /in/large refused"]);
    assert.match(refused[0]?.detail ?? "", /1000 bytes/);
  });

  it("lets the narrowest of several grants count", async () => {
    const narrow: FileGrant = {
      protocols: ["sftp"],
      directories: [{ path: directory.file("data"), access: "read", maxFileSize: null }],
    };
    const outcome = await sftp(
      directory.path,
      [grant(), narrow],
      ["-put here data/new", "-get out/report got"],
    );
    assert.deepEqual(told(outcome.events), ["write /data/new refused", "list /out/report refused"]);
  });

  it("gives no digest of what was put in part", async () => {
    writeFileSync(directory.file("data/there"), content.subarray(0, 1000));
    const outcome = await batch("reput here data/there");
    assert.ok(readFileSync(directory.file("data/there")).equals(content));
    const [event] = outcome.events.filter(({ operation }) => operation === "write");
    assert.equal(event?.sha256, null);
    assert.match(event?.detail ?? "", /no digest/);
  });
});
