import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type ProcessIdentity, processStat } from "@sallyport/agent/kernel/processes.ts";
import type { Login } from "@sallyport/agent/logins/login.ts";
import { LineReader, type Ticket, ToRecorder } from "@sallyport/agent/recorders/control-messages.ts";
import { RecorderPool } from "@sallyport/agent/recorders/recorder-pool.ts";
import { createSessionServer } from "@sallyport/agent/sessions/session-server.ts";
import { decodeHello, ShimFrameReader, shimFrame } from "@sallyport/agent/shim/shim-protocol.ts";
import { ISSUER, NOW } from "../../core/admission/identity-provider.ts";
import { makeScenario } from "../../core/policy/scenario.ts";
import { type AdmittingHost, makeAdmittingHost, SILENT } from "../support/admission.ts";
import { buildShim, type SanitizedShim } from "../support/shim.ts";
import { SshdInPlace, type WaitingSshd } from "../support/sshd.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { within } from "../support/within.ts";

const UID = 1001;
const SHIM = "/usr/lib/sallyport/shim";

describe("the socket that a session's shim asks", () => {
  const suite = temporaryDirectory("suite");
  const directory = temporaryDirectory();
  let shim: SanitizedShim;
  let host: AdmittingHost;
  let pool: RecorderPool;
  let server: Server;
  let sshd: SshdInPlace;
  let tickets: Ticket[];
  let refusals: string[];
  let isShim: boolean;
  let admitted: Login[];
  let recorder: { server: Server; hellos: (string | undefined)[]; control: Socket };

  before(() => {
    mkdirSync(suite.file("run"));
    shim = buildShim(suite.file("run"), suite.file("shim"));
  });
  beforeEach(async () => {
    [tickets, refusals, admitted, isShim] = [[], [], [], true];
    host = makeAdmittingHost(directory.path, SHIM);
    sshd = new SshdInPlace(directory.file("sshd"), shim);
    pool = new RecorderPool({
      version: "test",
      controlSocket: directory.file("control.sock"),
      size: 0,
      command: () => ["/bin/false", []],
      log: SILENT,
      onMessage: () => {},
      onHello: () => {},
      onLost: () => {},
    });
    pool.start(0);
    recorder = await startRecorder();
    server = createSessionServer({
      durability: "normal",
      localPolicies: () => [],
      ...host,
      pool,
      host: { id: "hst_1", name: "db-1" },
      sshd: sshd.path,
      shim: SHIM,
      isShim: () => isShim,
      shell: "/bin/bash",
      onLetIn: () => {},
      onAdmitted: (login) => admitted.push(login),
      settle: async () => {},
      log: SILENT,
      onRefused: (_, code) => refusals.push(code),
    });
    server.listen(suite.file("run/session.sock"));
    await once(server, "listening");
    chmodSync(suite.file("run/session.sock"), 0o666);
  });
  afterEach(async () => {
    sshd.close();
    recorder.control.destroy();
    recorder.server.close();
    pool.stop();
    server.close();
    await once(server, "close");
    assert.equal(shim.findings(), "");
  });

  /** A recorder that takes tickets, and hangs up on shims when they have said hello. */
  const startRecorder = async () => {
    const hellos: (string | undefined)[] = [];
    const recorderServer = createServer((socket) => {
      const frames = new ShimFrameReader();
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        for (const { data } of frames.push(chunk) ?? []) hellos.push(decodeHello(data)?.ticket);
        socket.destroy();
      });
    });
    recorderServer.listen(directory.file("recorder.sock"));
    await once(recorderServer, "listening");
    chmodSync(directory.file("recorder.sock"), 0o666);
    await within(2000, "the pool listens", () => pool.choose() === null && listening());
    const control = connect(directory.file("control.sock"));
    const lines = new LineReader();
    control.setEncoding("utf8").on("data", (chunk) => {
      for (const line of lines.push(String(chunk))) {
        const message = ToRecorder.parse(JSON.parse(line));
        if (message.type === "ticket") tickets.push(message);
      }
    });
    const self = processStat(process.pid) as ProcessIdentity;
    const hello = {
      type: "hello",
      version: "test",
      process: self,
      socketPath: directory.file("recorder.sock"),
      sessions: [],
    };
    control.write(`${JSON.stringify(hello)}\n`);
    assert.ok(await pool.whenReady(2000));
    return { server: recorderServer, hellos, control };
  };
  const listening = () =>
    new Promise<boolean>((resolve) => {
      const probe = connect(directory.file("control.sock"));
      probe.on("connect", () => resolve(true)).on("error", () => resolve(false));
      probe.on("connect", () => probe.destroy());
    });

  const { identity } = makeScenario().request;
  const login = (monitor: ProcessIdentity, changes: Partial<Login> = {}): Login => ({
    monitor,
    account: "deploy",
    uid: UID,
    sourceAddress: "192.0.2.7",
    admitted: null,
    forwarding: false,
    marks: null,
    certificateHash: "x",
    identity: { ...identity, token: { ...identity.token, issuer: ISSUER } },
    refused: null,
    decidedAt: NOW,
    ...changes,
  });
  const session = () => `'${shim.path}' session`;
  /** As sshd starts it: the monitor is root's, its child the account's, and the shim is below that. */
  const asSshd = (uid = UID) => sshd.as(uid, `'${sshd.path}' -c "${session()}; exit \\$?"`);
  const start = (
    script = asSshd(),
    changes: Partial<Login> = {},
    options: Parameters<SshdInPlace["start"]>[1] = {},
  ): WaitingSshd => {
    const monitor = sshd.start(script, options);
    host.logins.set(login(monitor.identity, changes));
    return monitor;
  };
  const told = async (monitor: WaitingSshd) => {
    const { status, stdout, stderr } = await monitor.go();
    assert.deepEqual([status, stdout.toString()], [254, ""]);
    return stderr;
  };
  const NOT_A_LOGIN = /^sallyport: This account is used through Sallyport only/;
  const NO_RECORDER = /^sallyport: this host cannot record sessions right now/;

  it("gives a ticket to the shim below the sshd that asked, and the same to a recorder", async () => {
    const monitor = start(undefined, {}, { env: { SSH_ORIGINAL_COMMAND: "printf '\\377'; true" } });
    assert.match(await told(monitor), NO_RECORDER, "this recorder hangs up");
    const [ticket] = tickets;
    assert.deepEqual(recorder.hellos, [ticket?.ticket]);
    assert.deepEqual([ticket?.uid, ticket?.gid, ticket?.shell], [UID, 1002, "/bin/bash"]);
    assert.equal(Buffer.from(ticket?.command ?? "", "base64").toString(), "printf '\\377'; true");
    assert.deepEqual(ticket?.live.monitor, monitor.identity);
    const { account, kind, login: from, member, engagement, host: here } = ticket?.live.start ?? {};
    assert.deepEqual(
      [account, kind, member?.name, engagement?.name, here?.name],
      ["deploy", "command", "Alice", "acme-db", "db-1"],
    );
    assert.equal(from?.sourceAddress, "192.0.2.7");
    assert.deepEqual(refusals, []);
  });

  it("keeps a command's bytes that are no text", async () => {
    const bytes = Buffer.from([0x65, 0x63, 0xff, 0xfe]);
    const monitor = start(
      `SSH_ORIGINAL_COMMAND=$(printf 'ec\\377\\376'); export SSH_ORIGINAL_COMMAND; ${asSshd()}`,
    );
    await told(monitor);
    assert.deepEqual(Buffer.from(tickets[0]?.command ?? "", "base64"), bytes);
  });

  it("refuses a command that its recording could not hold", async () => {
    const monitor = start(undefined, {}, { env: { SSH_ORIGINAL_COMMAND: "x".repeat(70_000) } });
    assert.match(
      await told(monitor),
      /^sallyport: This command is too long to be recorded\. Put it into a script/,
    );
    assert.deepEqual([tickets, refusals], [[], ["command-too-long"]]);
  });

  for (const [what, code, begin] of [
    ["a shim below no login", "no-login", () => sshd.start(asSshd())],
    ["a shim whose login is another connection's", "no-login", () => [start(), sshd.start(asSshd())].at(-1)],
    ["a shim of another account than the login's", "wrong-uid", () => start(asSshd(1003))],
    ["a shim of root's", "wrong-uid", () => start(asSshd(0))],
    [
      "a shim that a process of the user's started",
      "no-login",
      () => start(sshd.as(UID, `'${sshd.path}' -c "sh -c '${shim.path} session; exit \\$?'; exit \\$?"`)),
    ],
    ["a shim below the monitor itself", "no-login", () => start(sshd.as(UID, session()))],
    [
      "a shim below another program",
      "no-login",
      () => start(sshd.as(UID, `sh -c "${session()}; exit \\$?"`)),
    ],
    ["a login whose identity was not proven", "no-login", () => start(asSshd(), { identity: null })],
  ] as const) {
    it(`gives nothing to ${what}`, async () => {
      assert.match(await told(begin() as WaitingSshd), NOT_A_LOGIN);
      assert.deepEqual([refusals, tickets], [[code], []]);
    });
  }

  it("gives nothing once the account has another uid", async () => {
    writeFileSync(directory.file("passwd"), `deploy:x:1004:1002::/home/deploy:${SHIM}\n`);
    assert.match(await told(start()), /has changed since you logged in/);
    assert.deepEqual([refusals, tickets], [["account-changed"], []]);
  });

  it("decides once more, and tells why not", async () => {
    const monitor = start();
    Object.assign(host.condition.bundle.engagements[0] ?? {}, {
      ended: { at: NOW - 60, by: "sam", reason: "" },
    });
    assert.match(await told(monitor), /^sallyport: .*acme-db.*ended/);
    assert.deepEqual([refusals, tickets], [["engagement-ended"], []]);
  });

  it("lets who was refused at login in, when nothing stands against it any more", async () => {
    const refused = { code: "lease-expired", told: "…" };
    assert.match(await told(start(asSshd(), { refused })), NO_RECORDER);
    assert.equal(tickets.length, 1);
  });

  it("knows them as admitted from then on, so that a revocation finds the connection before a recorder does", async () => {
    const refused = { code: "lease-expired", told: "…" };
    const monitor = start(asSshd(), { refused });
    assert.match(await told(monitor), NO_RECORDER);
    const { memberId, engagementId } = host.logins.get(monitor.identity)?.admitted ?? {};
    const { member, engagement } = tickets[0]?.live.start ?? {};
    assert.deepEqual([memberId, engagementId], [member?.id, engagement?.id]);
    assert.equal(admitted.length, 1);
    assert.match(
      await told(start(asSshd(), { admitted: { memberId: "m", engagementId: "e" } })),
      NO_RECORDER,
    );
    assert.equal(admitted.length, 1);
  });

  for (const [what, bytes, expected] of [
    ["no shim below an sshd", shimFrame("s", Buffer.from([1, 0, 0])), NOT_A_LOGIN],
    ["another version", shimFrame("s", Buffer.from([2, 0, 0])), /no session that this host understands/],
    ["a frame of another kind", shimFrame("q"), /no session that this host understands/],
    ["a frame cut off", Buffer.from("0000001073aa", "hex"), null],
    ["a frame too large", Buffer.from("ffffffff73", "hex"), null],
    ["an empty frame", Buffer.alloc(5), null],
  ] as const) {
    it(`gives nothing to ${what}, and hangs up at once`, async () => {
      const socket = connect(suite.file("run/session.sock"));
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.on("error", () => {});
      if (what.endsWith("cut off")) socket.end(bytes);
      else socket.write(bytes);
      const began = performance.now();
      await once(socket, "close");
      assert.ok(performance.now() - began < 3000, "it does not wait for its time-out");
      const answer = Buffer.concat(chunks);
      if (expected === null) assert.equal(answer.length, 0);
      else assert.match(answer.toString("utf8", 6), expected);
      assert.deepEqual(tickets, []);
    });
  }
});
