import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { until } from "../../../demo/light-host/until.ts";
import { Multiplexed } from "../../fixtures/multiplexed.ts";
import { printed } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const SFTP_SERVER = "/usr/lib/openssh/sftp-server";
const INIT = Buffer.from("000000050100000003", "hex");
const [OPEN, CLOSE, WRITE, STATUS, HANDLE] = [3, 4, 6, 101, 102] as const;
const OK = 0;

const u32 = (...values: number[]) => Buffer.from(values.flatMap((one) => [0, 0, one >> 8, one & 255]));
const string = (bytes: Uint8Array | string) => Buffer.concat([u32(bytes.length), Buffer.from(bytes)]);

/** SFTP by hand: one request at a time. */
class Requests {
  readonly #client: ChildProcess;
  #bytes: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};

  constructor(client: ChildProcess) {
    this.#client = client;
    client.stdout?.on("data", (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#wake();
    });
    client.stdin?.write(INIT);
  }

  /** The answer's type and what follows its id. */
  async ask(type: number, ...parts: Uint8Array[]): Promise<{ type: number; rest: Buffer }> {
    const body = Buffer.concat([Buffer.of(type), u32(7), ...parts]);
    this.#client.stdin?.write(string(body));
    for (;;) {
      const answer = await this.#packet();
      if (answer.readUInt8(0) !== 2) return { type: answer.readUInt8(0), rest: answer.subarray(5) };
    }
  }

  async status(type: number, ...parts: Uint8Array[]): Promise<{ code: number; text: string }> {
    const { type: answered, rest } = await this.ask(type, ...parts);
    assert.equal(answered, STATUS);
    return { code: rest.readUInt32BE(0), text: rest.toString("utf8", 8) };
  }

  async #packet(): Promise<Buffer> {
    while (this.#bytes.length < 4 || this.#bytes.length < 4 + this.#bytes.readUInt32BE(0))
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const end = 4 + this.#bytes.readUInt32BE(0);
    const packet = this.#bytes.subarray(4, end);
    this.#bytes = this.#bytes.subarray(end);
    return packet;
  }
}

describe("a transfer of files", () => {
  let world: World;
  let alice: Person;
  const there = (path: string) => `/proc/${world.host.pid}/root${path}`;
  const engagement = (...names: string[]) => {
    const directories = names.map((name) => ({ path: `/home/srv/${name}`, access: "read-write" }));
    const files = { protocols: ["sftp", "legacy-scp", "rsync"], directories };
    return { name: "web", members: ["alice"], mode: "files", files };
  };

  before(async () => {
    world = await startWorld({ engagements: [engagement("goes", "stays")] });
    alice = await world.signedIn("alice");
    for (const name of ["goes", "stays"]) mkdirSync(there(`/home/srv/${name}`), { recursive: true });
    await world.host.run(["chown", "-R", "deploy:", "/home/srv/goes", "/home/srv/stays"]);
  });
  after(() => world.close());

  const session = (command: string) => {
    const [program = "", ...args] = alice.ssh("web-1", command);
    return spawn(program, args, { env: alice.env, stdio: ["pipe", "pipe", "pipe"] });
  };

  it("leaves no descriptor in its recorder, however it ends", async () => {
    const one = new Multiplexed(alice);
    const again = async () => {
      const put = await one.ssh("scp -t /home/srv/stays", Buffer.from("C0644 2 put\nhi\0"));
      assert.equal(put.status, 0, put.stderr);
      for (const [command, input] of [
        ["scp -f /home/srv/stays/none", "\0\0"],
        ["scp -t /home/srv/stays", "nonsense\n"],
        ["scp -t /etc", ""],
        [SFTP_SERVER, INIT],
        [SFTP_SERVER, Buffer.concat([INIT, u32(255, 255)])],
        ["rsync --server -r . /home/srv/stays", "nonsense"],
      ] as const)
        await one.ssh(command, input);
    };
    const open = () =>
      world.host.recorderPids().reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
    try {
      await again();
      const before = open();
      for (let i = 0; i < 3; i++) await again();
      assert.ok(await until(() => open() <= before, 5000), `${before}, then ${open()}`);
    } finally {
      await one.close();
    }
  });

  it("goes on with sftp when its engagement changes, where it still may; by scp and rsync it ends", async () => {
    const sftp = session(SFTP_SERVER);
    const requests = new Requests(sftp);
    const handle = async (path: string) => {
      const { type, rest } = await requests.ask(OPEN, string(path), u32(2 | 8 | 16, 0));
      assert.equal(type, HANDLE, rest.toString());
      return rest;
    };
    const write = (to: Buffer) => requests.status(WRITE, to, u32(0, 0), string("text"));
    const [goes, stays] = [await handle("/home/srv/goes/a"), await handle("/home/srv/stays/a")];
    assert.equal((await write(goes)).code, OK);

    const scp = session("scp -t /home/srv/stays");
    const rsync = session("rsync --server -r . /home/srv/stays");
    const ended = [scp, rsync].map((one) =>
      Promise.all([printed(one, /files have changed/, "stderr"), once(one, "close")]),
    );
    await Promise.all([scp, rsync].map((one) => once(one.stdout, "data")));
    const running = async () =>
      (await world.host.run(["ps", "-eo", "args"])).stdout.toString().match(/^(scp -t|rsync --server)/gm)
        ?.length ?? 0;
    assert.equal(await running(), 2);

    await world.applyPolicy([engagement("stays")]);
    assert.ok(await until(async () => (await write(goes)).code !== OK, 10_000), "it may be written still");
    assert.equal((await write(stays)).code, OK);
    assert.equal((await requests.status(CLOSE, goes)).code, OK);
    const refused = await requests.status(OPEN, string("/home/srv/goes/b"), u32(2 | 8, 0));
    assert.match(refused.text, /writing is not allowed here\..* in: \/home\/srv\/stays \(read-write\)\./);
    assert.equal((await requests.status(CLOSE, stays)).code, OK);
    assert.equal(readFileSync(there("/home/srv/stays/a"), "utf8"), "text");

    await Promise.all(ended);
    for (const command of [/^scp/, /^rsync/])
      await sessionWhere(alice, (one) => command.test(one.command ?? "") && one.endReason === "revoked");
    assert.ok(
      await until(async () => (await running()) === 0, 5000),
      "a program goes on without its session",
    );
    sftp.stdin.end();
    await once(sftp, "close");
  });
});
