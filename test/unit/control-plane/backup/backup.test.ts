import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfiguration } from "@sallyport/control-plane/config/load-configuration.ts";
import { systemRandom } from "@sallyport/control-plane/environment.ts";
import { run } from "@sallyport/control-plane/program.ts";
import { openStore } from "@sallyport/control-plane/store.ts";
import { sql } from "kysely";

const RECORDING = "recordings/hst_1/ses_1.spr";

describe("backup and restore", () => {
  let directory: string;
  let config: string;
  let data: string;
  let tar: string;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-backup-"));
    config = join(directory, "cp.yaml");
    data = join(directory, "data");
    tar = join(directory, "backup.tar");
    const issuers = `issuers: [{ name: Acme, issuer: "http://127.0.0.1:9", clientId: sallyport-cli }]`;
    writeFileSync(
      config,
      `version: 1\nlisten: { port: 0 }\nurl: http://127.0.0.1:0\ndataDirectory: ${data}\n${issuers}\n`,
    );
    await (await openStore({ config: loadConfiguration(config) })).db.destroy();
    mkdirSync(join(data, "recordings/hst_1"), { recursive: true });
    writeFileSync(join(data, RECORDING), "a recording");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const command = async (args: readonly string[], databaseUrl?: string) => {
    let stderr = "";
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const status = await run([...args, "--config", config], {
      environment: { clock: Date.now, random: systemRandom, log },
      ...{ databaseUrl, variables: {}, stdout: { write: () => {} } },
      stderr: { write: (text) => (stderr += text) },
    });
    return { status, stderr };
  };
  const ok = async (args: readonly string[]) => {
    const { status, stderr } = await command(args);
    assert.equal(status, 0, stderr);
    return stderr;
  };
  /** Changes a byte of the archive, `after` so many bytes behind this text. */
  const flip = (text: string, after = 0) => {
    const bytes = readFileSync(tar);
    const at = bytes.indexOf(text) + after;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(tar, bytes);
  };
  const empty = () => rmSync(data, { recursive: true });

  it("brings back what was there, for its owner only", async () => {
    const before = readFileSync(join(data, "keys/user-ca.pem"), "utf8");
    await ok(["backup", "--out", tar]);
    assert.equal(statSync(tar).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(data).sort(), ["keys", "recordings", "sallyport.db"]);
    assert.deepEqual(readdirSync(join(data, "recordings")), ["hst_1"]);
    empty();
    assert.match(await ok(["restore", "--in", tar]), /begin a new audit log/);
    assert.equal(readFileSync(join(data, "keys/user-ca.pem"), "utf8"), before);
    assert.equal(readFileSync(join(data, RECORDING), "utf8"), "a recording");
    assert.equal(statSync(join(data, "keys/user-ca.pem")).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(data).sort(), ["keys", "recordings", "sallyport.db"]);
    await (await openStore({ config: loadConfiguration(config) })).db.destroy();
  });

  it("brings the configuration back where there is none", async () => {
    await ok(["backup", "--out", tar]);
    const text = readFileSync(config, "utf8");
    empty();
    rmSync(config);
    await ok(["restore", "--in", tar]);
    assert.equal(readFileSync(config, "utf8"), text);
  });

  it("leaves recordings out when told", async () => {
    await ok(["backup", "--out", tar, "--without-recordings"]);
    empty();
    assert.match(await ok(["restore", "--in", tar]), /has no recordings/);
    assert.equal(existsSync(join(data, "recordings")), false);
  });

  it("takes of a recording that grows what there was when it was counted", async () => {
    const content = "x".repeat(2_000_000);
    writeFileSync(join(data, RECORDING), content);
    const growing = openSync(join(data, RECORDING), "a");
    let over = false;
    const grow = async () => {
      while (!over) {
        writeSync(growing, "y".repeat(1000));
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const grown = grow();
    await ok(["backup", "--out", tar]);
    over = true;
    await grown;
    closeSync(growing);
    empty();
    await ok(["restore", "--in", tar]);
    assert.match(readFileSync(join(data, RECORDING), "utf8"), /^x{2000000}y*$/);
  });

  it("tells of recordings that were lost before", async () => {
    const { db } = await openStore({ config: loadConfiguration(config) });
    const row = {
      next_sequence: 1,
      head_hash: "",
      complete: 1,
      raw_bytes: 0,
      leaf_index: null,
      storage: null,
    };
    const never = {
      completed_at: null,
      deleted_at: null,
      deleted_by: null,
      removed_at: null,
      tidied_at: null,
    };
    const ids = ["hst_01jd0000000000000000000000", "ses_01jd0000000000000000000000"] as const;
    await sql`pragma foreign_keys = off`.execute(db);
    await db
      .insertInto("recordings")
      .values({ session_id: ids[1], host_id: ids[0], length: 11, ...row, ...never })
      .execute();
    await db.destroy();
    const lost = /Recordings that the database has .*: 1, as that of ses_01jd/;
    assert.match(await ok(["backup", "--out", tar]), lost);
    mkdirSync(join(data, "recordings", ids[0]));
    writeFileSync(join(data, "recordings", ids[0], `${ids[1]}.spr`), "a recording");
    assert.doesNotMatch(await ok(["backup", "--out", `${tar}.2`]), lost);
  });

  it("overwrites no file", async () => {
    writeFileSync(tar, "mine");
    const { status, stderr } = await command(["backup", "--out", tar]);
    assert.deepEqual([status, readFileSync(tar, "utf8")], [2, "mine"]);
    assert.match(stderr, /is there already: name another file/);
  });

  const FLIPS: [string, string, number, RegExp][] = [
    ["a recording", "a recording", 0, /recordings\/hst_1\/ses_1\.spr is not what was backed up/],
    ["the database", "SQLite format 3\0", 200, /sallyport\.db is not what was backed up/],
    ["a key", "-----BEGIN PRIVATE KEY", 40, /keys\/[a-z-]+\.pem is not what was backed up/],
    ["a size in the manifest", '"size":11,', 8, /ses_1\.spr is not what was backed up/],
    ["the manifest's head", '"createdAt":"2', 13, /manifest\.jsonl in the backup is damaged/],
    ["the name of a file", "keys/host-ca.pem\0", 6, /cannot be unpacked/],
  ];
  for (const [what, text, after, said] of FLIPS)
    it(`finds one changed bit in ${what}, and changes nothing`, async () => {
      await ok(["backup", "--out", tar]);
      empty();
      flip(text, after);
      const { status, stderr } = await command(["restore", "--in", tar]);
      assert.equal(status, 1);
      assert.match(stderr, said);
      assert.deepEqual(readdirSync(data), []);
    });

  it("finds a backup that was cut off", async () => {
    await ok(["backup", "--out", tar]);
    empty();
    writeFileSync(tar, readFileSync(tar).subarray(0, 40_000));
    assert.equal((await command(["restore", "--in", tar])).status, 1);
    assert.deepEqual(readdirSync(data), []);
  });

  /** The archive anew, after `change` has been at its files. */
  const rebuilt = (change: (unpacked: string) => void) => {
    const unpacked = join(directory, "unpacked");
    mkdirSync(unpacked);
    execFileSync("tar", ["-xf", tar, "-C", unpacked]);
    change(unpacked);
    execFileSync("tar", ["-cf", tar, "-C", unpacked, ...readdirSync(unpacked)]);
  };
  const FOREIGN: [string, (unpacked: string) => void, RegExp][] = [
    ["a link", (at) => symlinkSync("/etc/shadow", join(at, "keys/x.pem")), /neither a file nor a directory/],
    ["a file more", (at) => writeFileSync(join(at, "keys/x.pem"), ""), /does not name/],
    ["a file less", (at) => rmSync(join(at, "keys/host-ca.pem")), /keys\/host-ca\.pem is missing/],
    ["no manifest", (at) => rmSync(join(at, "manifest.jsonl")), /it is no backup of a control plane/],
  ];
  for (const [what, change, said] of FOREIGN)
    it(`refuses a backup with ${what}, and changes nothing`, async () => {
      await ok(["backup", "--out", tar]);
      rebuilt(change);
      empty();
      const { status, stderr } = await command(["restore", "--in", tar]);
      assert.equal(status, 1);
      assert.match(stderr, said);
      assert.deepEqual(readdirSync(data), []);
    });

  it("stays away from data that is there, and moves it aside when told", async () => {
    await ok(["backup", "--out", tar]);
    writeFileSync(join(data, RECORDING), "newer");
    const { status, stderr } = await command(["restore", "--in", tar]);
    assert.equal(status, 1);
    assert.match(stderr, /There is data in .* already, and it stays\. --force/);
    assert.equal(readFileSync(join(data, RECORDING), "utf8"), "newer");
    await ok(["restore", "--in", tar, "--force"]);
    assert.equal(readFileSync(join(data, RECORDING), "utf8"), "a recording");
    const aside = readdirSync(data).find((name) => name.startsWith("before-")) ?? assert.fail();
    assert.equal(readFileSync(join(data, aside, RECORDING), "utf8"), "newer");
  });

  it("restores nothing while a program has the database", async () => {
    await ok(["backup", "--out", tar]);
    const { db } = await openStore({ config: loadConfiguration(config) });
    try {
      const { status, stderr } = await command(["restore", "--in", tar, "--force"]);
      assert.equal(status, 1);
      assert.match(stderr, /must not run while it is restored, and a program has .*sallyport\.db open/);
    } finally {
      await db.destroy();
    }
  });

  it("leaves a PostgreSQL database to pg_dump, and says so", async () => {
    const { status, stderr } = await command(["backup", "--out", tar], "postgres://u@127.0.0.1/x");
    assert.equal(status, 0, stderr);
    assert.match(stderr, /not in it: back it up with pg_dump/);
    empty();
    assert.match(await ok(["restore", "--in", tar]), /It has no database: restore what pg_dump made/);
    assert.deepEqual(readdirSync(data).sort(), ["keys", "recordings"]);
  });

  it("has nothing to back up before the first start", async () => {
    empty();
    mkdirSync(data);
    const { status, stderr } = await command(["backup", "--out", tar]);
    assert.equal(status, 2);
    assert.match(stderr, /There is nothing to back up/);
  });
});
