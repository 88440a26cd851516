import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import {
  descendantsOf,
  executableOf,
  isAlive,
  peerAddress,
  processStat,
  uidOf,
} from "@sallyport/agent/kernel/processes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { within } from "../support/within.ts";

const NOBODY = 65534;

describe("processes", () => {
  const directory = temporaryDirectory();
  let children: ChildProcess[];
  beforeEach(() => {
    children = [];
  });
  afterEach(async () => {
    for (const child of children) child.stdin?.destroy();
    await Promise.all(
      children
        .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
        .map((child) => once(child, "exit")),
    );
  });

  /** A process that has said "up" and ends with its standard input. */
  const start = async (script: string, options: { uid?: number; file?: string } = {}): Promise<number> => {
    const { file = "/bin/sh", uid } = options;
    const child = spawn(file, ["-c", `${script}\necho up; read -r _ || exit 0`], {
      stdio: ["pipe", "pipe", "inherit"],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    children.push(child);
    await once(child.stdout, "data");
    return child.pid ?? 0;
  };

  for (const name of ["a b", "a) S 1 1 1 (x", "))) R 2", "new\nline", "(", "é"]) {
    it(`are read right when one is called ${JSON.stringify(name)}`, async () => {
      const file = directory.file(name);
      copyFileSync("/bin/dash", file);
      const pid = await start("", { file });
      const stat = processStat(pid);
      assert.equal(stat?.parent, process.pid);
      assert.equal(stat?.session, processStat(process.pid)?.session);
      const self = processStat(process.pid)?.startTime ?? 0;
      assert.ok(stat !== null && stat.startTime >= self, "it began after us");
      assert.equal(executableOf(pid), realpathSync(file));
      assert.ok(descendantsOf(process.pid).some((one) => one.pid === pid));
    });
  }

  it("are alive only as long as they are the same: a number alone is not believed", async () => {
    const pid = await start("");
    const stat = processStat(pid);
    assert.ok(stat !== null && isAlive(stat));
    assert.equal(isAlive({ pid, startTime: stat.startTime - 1 }), false, "another process had this number");
    children[0]?.stdin?.destroy();
    await once(children[0] as ChildProcess, "exit");
    assert.equal(isAlive(stat), false);
    assert.deepEqual(
      [processStat(pid), uidOf(pid), executableOf(pid), peerAddress(pid)],
      [null, null, null, null],
    );
    for (const bad of [0, -1, Number.NaN, 2 ** 31]) assert.equal(processStat(bad), null);
  });

  it("have a uid, and a program that may have been replaced", async () => {
    const file = directory.file("sshd");
    copyFileSync("/bin/dash", file);
    const pid = await start("", { uid: NOBODY, file });
    assert.equal(uidOf(pid), NOBODY);
    rmSync(file);
    writeFileSync(file, "a newer one");
    assert.equal(executableOf(pid), realpathSync(file));
  });

  it("have descendants, parents before children, and those alone", async () => {
    const root = await start("exec 3<&0; sh -c 'sh -c \"read -r _\" <&3 & wait' &");
    const beside = await start("");
    await within(2000, "two below", () => descendantsOf(root).length === 2);
    const below = descendantsOf(root);
    assert.deepEqual(
      below.map(({ parent }) => parent),
      [root, below[0]?.pid],
    );
    assert.ok(!below.some(({ pid }) => pid === root || pid === beside));
    assert.deepEqual(descendantsOf(beside), []);
  });
});

describe("the peer of a process", () => {
  const listener = (server: ReturnType<typeof createServer>, host: string) =>
    new Promise<number>((resolve) =>
      server.listen(0, host, () => resolve((server.address() as { port: number }).port)),
    );

  for (const [what, listen, to, expected] of [
    ["IPv4", "127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["IPv6", "::1", "::1", "0:0:0:0:0:0:0:1"],
    ["IPv4 by an IPv6 socket", "::", "127.0.0.1", "127.0.0.1"],
  ] as const) {
    it(`is the other end of its connection: ${what}`, async () => {
      const server = createServer();
      const port = await listener(server, listen);
      const client = connect(port, to);
      const [accepted] = (await once(server, "connection")) as [Socket];
      // As sshd has it: the connection is inherited, among pipes, sockets and files.
      const { _handle: handle } = accepted as unknown as { _handle: { fd: number } };
      const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit", "pipe", handle.fd], cwd: "/" });
      accepted.destroy();
      await within(2000, "the child has it", () => peerAddress(child.pid ?? 0) !== null);
      assert.equal(peerAddress(child.pid ?? 0), expected);
      child.stdin?.destroy();
      await once(child, "exit");
      client.destroy();
      server.close();
    });
  }

  it("is nobody where it only listens, or has no socket of the internet's", async () => {
    const server = createServer();
    await listener(server, "127.0.0.1");
    const { _handle: handle } = server as unknown as { _handle: { fd: number } };
    const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit", handle.fd] });
    await once(child, "spawn");
    assert.equal(peerAddress(child.pid ?? 0), null);
    child.stdin?.destroy();
    await once(child, "exit");
    server.close();
  });
});
