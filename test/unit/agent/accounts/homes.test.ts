import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  endProcesses,
  endProcessesOfUid,
  processesOfUid,
} from "@sallyport/agent/accounts/account-processes.ts";
import { archiveHome, deleteHome, makeHome } from "@sallyport/agent/accounts/homes.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";

const UID = 70_777;
const conflict = (error: unknown) => isSallyportError(error, "conflict");

describe("homes of personal accounts", () => {
  let directory: string;
  let home: string;
  let place: { directory: string; reserve: number };
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-"));
    home = join(directory, "dana");
    place = { directory: join(directory, "archives"), reserve: 1 };
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("are made empty, the account's own, 0700, and are left alone the second time", () => {
    makeHome(home, UID);
    const { mode, uid, gid } = lstatSync(home);
    assert.deepEqual([mode & 0o777, uid, gid, readdirSync(home)], [0o700, UID, UID, []]);
    writeFileSync(join(home, "kept"), "");
    makeHome(home, UID);
    assert.deepEqual(readdirSync(home), ["kept"]);
  });

  it("are never another's directory, nor what a link points to", () => {
    mkdirSync(home);
    assert.throws(() => makeHome(home, UID), conflict);
    rmSync(home, { recursive: true });
    mkdirSync(join(directory, "target"));
    chownSync(join(directory, "target"), UID, UID);
    symlinkSync("target", home);
    assert.throws(() => makeHome(home, UID), conflict);
  });

  it("are archived whole, with links as links and holes as holes, and then gone", async () => {
    makeHome(home, UID);
    mkdirSync(join(home, "-rf"));
    writeFileSync(join(home, "-rf", "--checkpoint-action=exec=sh"), "text");
    symlinkSync(directory, join(home, "out"));
    writeFileSync(join(home, "sparse"), "");
    truncateSync(join(home, "sparse"), 2 ** 40);
    const path = await archiveHome(home, UID, "dana-mem", place);
    assert.equal(lstatSync(path).mode & 0o777, 0o600);
    assert.equal(existsSync(home), false);
    assert.ok(lstatSync(path).size < 10_000);
    const { stdout } = spawnSync("tar", ["-tvzf", path], { encoding: "utf8" });
    assert.match(stdout, /\.\/dana\/-rf\/--checkpoint-action=exec=sh\n/);
    assert.match(stdout, /\.\/dana\/out -> /);
    assert.doesNotMatch(stdout, /archives/);
    assert.equal(await archiveHome(home, UID, "dana-mem", place), "", "done already");
  });

  it("stay when there is no room for the archive", async () => {
    makeHome(home, UID);
    // Enough to compress that the room is looked at before it is done.
    spawnSync("dd", ["if=/dev/urandom", `of=${join(home, "big")}`, "bs=1M", "count=60"]);
    await assert.rejects(archiveHome(home, UID, "dana", { ...place, reserve: 2 ** 40 }), /no room/);
    assert.ok(existsSync(join(home, "big")));
    assert.deepEqual(readdirSync(place.directory), []);
  });

  it("are deleted without following links", async () => {
    makeHome(home, UID);
    writeFileSync(join(directory, "precious"), "");
    symlinkSync(directory, join(home, "out"));
    await deleteHome(home, UID);
    assert.equal(existsSync(home), false);
    assert.ok(existsSync(join(directory, "precious")));
  });

  it("are not touched when something else has taken their place", async () => {
    mkdirSync(join(directory, "target"));
    symlinkSync("target", home);
    await assert.rejects(deleteHome(home, UID), conflict);
    await assert.rejects(archiveHome(home, UID, "dana", place), conflict);
  });
});

describe("processes of a uid", () => {
  it("are all ended, also those that keep starting others and leave their session", async () => {
    const hop = "hop() { sleep 0.01; hop & }; hop & setsid sleep 4711 & exec sleep 4712";
    const child = spawn("sh", ["-c", hop], { uid: UID, gid: UID, stdio: "ignore" });
    const ended = once(child, "exit");
    while (processesOfUid(UID).length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok((await endProcessesOfUid(UID)) >= 3);
    await ended;
    assert.deepEqual(processesOfUid(UID), []);
    assert.equal(await endProcessesOfUid(UID), 0);
  });

  it("are looked for again when something has started meanwhile: it may have been missed", async () => {
    const child = spawn("sleep", ["4714"], { uid: UID, gid: UID, stdio: "ignore" });
    const ended = once(child, "exit");
    let looks = 0;
    const missesOnce = () => {
      if (++looks > 1) return processesOfUid(UID);
      spawnSync("true");
      return [];
    };
    assert.equal((await endProcesses(missesOnce)).length, 1);
    await ended;
  });

  it("are ended too when their first thread has ended and looks like a zombie", async () => {
    const script =
      "import ctypes,threading,time\nthreading.Thread(target=time.sleep,args=(4713,)).start()\nctypes.CDLL(None).pthread_exit(None)";
    const child = spawn("python3", ["-c", script], { uid: UID, gid: UID, stdio: "ignore" });
    const ended = once(child, "exit");
    const state = () => readFileSync(`/proc/${child.pid}/stat`, "latin1").split(") ")[1]?.[0];
    while (state() !== "Z") await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(await endProcessesOfUid(UID), 1);
    await ended;
  });
});
