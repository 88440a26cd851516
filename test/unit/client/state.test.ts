import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keyDirectories, makePrivateDirectory } from "@sallyport/client/keys/private-directory.ts";
import { ensureOwnDirectory, writeDurably } from "@sallyport/client/state/durable-file.ts";
import { readKeyState } from "@sallyport/client/state/key-state.ts";
import { takeTurn } from "@sallyport/client/state/one-at-a-time.ts";
import { requireSignIn } from "@sallyport/client/state/sign-in-state.ts";

const UID = process.getuid?.() ?? 0;

describe("state on disk", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-state-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("is written whole, with mode 0600, and leaves nothing beside it", () => {
    const path = join(directory, "file");
    writeDurably(path, "one");
    writeDurably(path, [Buffer.from("tw"), Buffer.from("o")]);
    assert.equal(readFileSync(path, "utf8"), "two");
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(directory), ["file"]);
  });

  it("keeps the old content when the new one fails half-way", () => {
    const path = join(directory, "file");
    writeDurably(path, "old");
    function* failing(): Generator<Uint8Array> {
      yield Buffer.from("ne");
      throw new Error("no more");
    }
    assert.throws(() => writeDurably(path, failing()), /no more/);
    assert.equal(readFileSync(path, "utf8"), "old");
    assert.deepEqual(readdirSync(directory), ["file"]);
  });

  it("makes its directory with mode 0700", () => {
    const path = join(directory, "a", "b");
    ensureOwnDirectory(path, UID, "server.json");
    assert.equal(statSync(path).mode & 0o777, 0o700);
  });

  it("closes an empty directory, or one that was ours, to readers; another one it leaves", () => {
    const path = join(directory, "state");
    mkdirSync(path, { mode: 0o755 });
    ensureOwnDirectory(path, UID, "server.json");
    assert.equal(statSync(path).mode & 0o777, 0o700);
    chmodSync(path, 0o755);
    writeFileSync(join(path, "letter.odt"), "");
    ensureOwnDirectory(path, UID, "server.json");
    assert.equal(statSync(path).mode & 0o777, 0o755);
    writeFileSync(join(path, "server.json"), "");
    ensureOwnDirectory(path, UID, "server.json");
    assert.equal(statSync(path).mode & 0o777, 0o700);
  });

  it("refuses a directory that others write to or own", () => {
    const path = join(directory, "state");
    mkdirSync(path);
    chmodSync(path, 0o777);
    assert.throws(() => ensureOwnDirectory(path, UID, "x"), { code: "config-invalid" });
    chmodSync(path, 0o700);
    assert.throws(() => ensureOwnDirectory(path, UID + 1, "x"), { code: "config-invalid" });
  });

  it("names a damaged file, and says what to do", () => {
    writeFileSync(join(directory, "sign-in.json"), "{");
    assert.throws(() => requireSignIn({ home: directory, now: Date.now }), {
      code: "config-invalid",
      message: `${join(directory, "sign-in.json")} is damaged; delete it and sign in again.`,
    });
  });

  it("takes a key.json that is not ours for none", () => {
    const path = join(directory, "key.json");
    assert.equal(readKeyState(path), undefined);
    for (const text of ["", "null", "[]", '{"v":2}', '{"v":1,"placement":"file","file":null}']) {
      writeFileSync(path, text);
      assert.equal(readKeyState(path), undefined, text);
    }
  });
});

describe("the place of a private key", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-place-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("is in memory first, and one for each home", () => {
    const [first, second, third] = keyDirectories({ XDG_RUNTIME_DIR: "/run/user/7" }, 7, "/home/a");
    assert.equal(first?.[0], "/run/user/7/sallyport");
    assert.equal(second?.[0], "/dev/shm/sallyport-7");
    assert.deepEqual(third, ["/home/a/private"]);
    assert.notEqual(keyDirectories({}, 7, "/home/b")[0]?.[1], keyDirectories({}, 7, "/home/a")[0]?.[1]);
    assert.equal(keyDirectories({ XDG_RUNTIME_DIR: "relative" }, 7, "/home/a").length, 2);
  });

  it("is made with mode 0700", () => {
    const path = makePrivateDirectory([join(directory, "a"), "b"], UID);
    assert.equal(path, join(directory, "a", "b"));
    assert.equal(statSync(join(directory, "a")).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory, "a", "b")).mode & 0o777, 0o700);
  });

  it("is no symbolic link, nobody else's, and not open to others", () => {
    mkdirSync(join(directory, "real"), { mode: 0o700 });
    symlinkSync(join(directory, "real"), join(directory, "link"));
    assert.equal(makePrivateDirectory([join(directory, "link"), "own"], UID), undefined);
    assert.equal(makePrivateDirectory([join(directory, "real"), "own"], UID + 1), undefined);
    mkdirSync(join(directory, "open"));
    chmodSync(join(directory, "open"), 0o755);
    assert.equal(makePrivateDirectory([join(directory, "open"), "own"], UID), undefined);
    writeFileSync(join(directory, "file"), "");
    assert.equal(makePrivateDirectory([join(directory, "file")], UID), undefined);
    assert.equal(makePrivateDirectory([join(directory, "missing", "deeper")], UID), undefined);
    assert.deepEqual(readdirSync(join(directory, "real")), []);
  });
});

describe("takeTurn", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-turn-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("lets one in, and the others after it, one by one", async () => {
    const path = join(directory, "turn.sock");
    const first = await takeTurn(path, 10_000);
    assert.equal(first.waited, false);
    const order: number[] = [];
    const others = [1, 2, 3].map(async (each) => {
      const turn = await takeTurn(path, 10_000);
      assert.equal(turn.waited, true);
      order.push(each);
      await turn.release();
    });
    assert.deepEqual(order, []);
    await first.release();
    await Promise.all(others);
    assert.equal(order.length, 3);
  });

  it("is not held by the dead", async () => {
    const path = join(directory, "turn.sock");
    const { spawnSync } = await import("node:child_process");
    const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script]);
    assert.deepEqual(readdirSync(directory), ["turn.sock"]);
    const turn = await takeTurn(path, 10_000);
    await turn.release();
    assert.deepEqual(readdirSync(directory), []);
  });

  it("waits no longer than it should, and goes ahead", async () => {
    const path = join(directory, "turn.sock");
    const first = await takeTurn(path, 10_000);
    const second = await takeTurn(path, 50);
    await second.release();
    await first.release();
  });

  it("goes ahead where no socket can be had", async () => {
    const turn = await takeTurn(join(directory, "x".repeat(200)), 10_000);
    assert.equal(turn.waited, false);
    await turn.release();
  });
});
