import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from "node:fs";
import { createServer, type Socket } from "node:net";
import { socketCredentials } from "@sallyport/agent/kernel/socket-credentials.ts";
import {
  duplicate,
  hasSession,
  isEchoOff,
  peerAddressOf,
  peerCredentials,
  readAvailable,
  setWindowSize,
} from "@sallyport/agent/kernel/system-calls.ts";
import * as nodePty from "node-pty";
import { temporaryDirectory } from "../support/temporary.ts";

const NOBODY = 65534;
const NODE_CONNECTS = "require('net').connect(process.argv[1]).resume()";

describe("who has connected to a Unix socket", () => {
  const directory = temporaryDirectory();

  it("is told by the kernel, another account's process too, and after it has gone", async () => {
    const server = createServer({ allowHalfOpen: true });
    server.listen(directory.file("socket"));
    await once(server, "listening");
    chmodSync(directory.file("socket"), 0o666);
    const child = spawn(process.execPath, ["-e", NODE_CONNECTS, directory.file("socket")], {
      uid: NOBODY,
      gid: NOBODY,
      stdio: "inherit",
    });
    const [socket] = (await once(server, "connection")) as [Socket];
    const expected = { pid: child.pid, uid: NOBODY, gid: NOBODY };
    assert.deepEqual(socketCredentials(socket), expected);
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.deepEqual(socketCredentials(socket), expected, "as it was at connect(2)");
    socket.destroy();
    assert.throws(() => socketCredentials(socket), /the connection is gone/);
    server.close();
  });

  it("is not told of what is no socket", () => {
    const file = openSync("/dev/null", "r");
    assert.throws(() => peerCredentials(file), /^Error: getsockopt\(SO_PEERCRED\) failed: errno 88$/);
    closeSync(file);
    assert.throws(() => peerCredentials(-1), /errno 9$/);
    assert.equal(peerAddressOf(process.pid, 1000), null);
    assert.equal(peerAddressOf(-1, 0), null);
  });
});

describe("a terminal", () => {
  const { native } = nodePty as unknown as {
    native: { open(c: number, r: number): { master: number; slave: number } };
  };
  let master: number;
  let slave: number;
  beforeEach(() => {
    ({ master, slave } = native.open(80, 24));
  });
  afterEach(() => {
    for (const fd of [master, slave]) closeSync(fd);
  });
  const stty = (...modes: string[]) =>
    spawnSync("stty", modes, { stdio: [slave, "pipe", "inherit"] }).stdout.toString();

  for (const [modes, off] of [
    [["sane"], false],
    [["-echo"], true],
    [["-echo", "echonl"], true],
    [["raw", "-echo"], false],
    [["raw", "echo"], false],
    [["cbreak", "-echo"], false],
    [["-echo", "cooked"], true],
    [["-echo", "echo"], false],
  ] as const) {
    it(`with stty ${modes.join(" ")} ${off ? "has a password typed" : "shows what is typed, or a program does"}`, () => {
      stty(...modes);
      assert.equal(isEchoOff(master), off);
    });
  }

  it("that is none has no password typed", () => {
    const file = openSync("/dev/null", "r");
    assert.equal(isEchoOff(file), false);
    assert.equal(isEchoOff(-1), false);
    closeSync(file);
  });

  it("has the size that was set, whatever it was", () => {
    for (const [columns, rows] of [
      [132, 43],
      [1, 1],
      [65535, 65535],
    ] as const) {
      setWindowSize(master, columns, rows);
      assert.equal(stty("size"), `${rows} ${columns}\n`);
    }
  });

  it("has a session while the program lives that it controls", async () => {
    assert.equal(hasSession(master), false);
    const shell = spawn("setsid", ["--ctty", "sh", "-c", "echo up >&3; read -r _"], {
      stdio: [slave, slave, slave, "pipe"],
    });
    await once(shell.stdio[3] as NodeJS.ReadableStream, "data");
    assert.equal(hasSession(master), true);
    writeSync(master, "\n");
    await once(shell, "exit");
    assert.equal(hasSession(master), false);
  });

  it("gives what is there, and does not wait", () => {
    const buffer = Buffer.alloc(100);
    assert.equal(readAvailable(master, buffer), 0);
    writeSync(slave, "abc");
    assert.equal(readAvailable(master, buffer.subarray(0, 2)), 2);
    assert.equal(readAvailable(master, buffer.subarray(2)), 1);
    assert.equal(buffer.toString("utf8", 0, 3), "abc");
    assert.equal(readAvailable(-1, buffer), 0);
  });
});

describe("a second descriptor", () => {
  const directory = temporaryDirectory();

  it("is of the same open file, stays when the first is closed, and is not inherited", () => {
    const first = openSync(directory.file("x"), constants.O_RDWR | constants.O_CREAT);
    const second = duplicate(first);
    writeSync(first, "ab");
    closeSync(first);
    writeSync(second, "c");
    assert.equal(readFileSync(directory.file("x"), "utf8"), "abc");
    assert.equal(readSync(second, Buffer.alloc(1), 0, 1, 0), 1);
    const flags = /^flags:\s+0?(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${second}`, "utf8"))?.[1];
    assert.ok(Number.parseInt(String(flags), 8) & 0o2000000, "O_CLOEXEC");
    closeSync(second);
    assert.throws(() => fstatSync(second));
    assert.throws(() => duplicate(second), /^Error: fcntl\(F_DUPFD_CLOEXEC\) failed: errno 9$/);
  });
});
