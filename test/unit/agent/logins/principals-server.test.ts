import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";
import type { Answer } from "@sallyport/agent/logins/decide.ts";
import type { Login } from "@sallyport/agent/logins/login.ts";
import { createPrincipalsServer } from "@sallyport/agent/logins/principals-server.ts";
import { shimFrame } from "@sallyport/agent/shim/shim-protocol.ts";
import { NOW } from "../../core/admission/identity-provider.ts";
import { makeCertificate, otherCa } from "../../core/admission/login-certificate.ts";
import { type AdmittingHost, makeAdmittingHost, SILENT } from "../support/admission.ts";
import { buildShim, type SanitizedShim } from "../support/shim.ts";
import { SshdInPlace } from "../support/sshd.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const SSHD_UID = 65534;
const SHIM = "/usr/lib/sallyport/shim";
const ADMITTED = `command="${SHIM} session",restrict,pty sallyport\n`;

describe("the socket that AuthorizedPrincipalsCommand asks", () => {
  const suite = temporaryDirectory("suite");
  const directory = temporaryDirectory();
  let shim: SanitizedShim;
  let host: AdmittingHost;
  let server: Server;
  let sshd: SshdInPlace;
  let decisions: [Login, Answer][];
  let certificate: Uint8Array;

  before(() => {
    mkdirSync(suite.file("run"));
    shim = buildShim(suite.file("run"), suite.file("shim"));
  });
  beforeEach(async () => {
    host = makeAdmittingHost(directory.path, SHIM);
    sshd = new SshdInPlace(directory.file("sshd"), shim);
    decisions = [];
    server = createPrincipalsServer({
      ...host,
      sshd: sshd.path,
      sshdUid: SSHD_UID,
      shim: SHIM,
      now: () => NOW,
      log: SILENT,
      onAdmitted: async () => {},
      onDecision: (...decision) => decisions.push(decision),
    });
    certificate = await makeCertificate();
    server.listen(suite.file("run/principals.sock"));
    await once(server, "listening");
    chmodSync(suite.file("run/principals.sock"), 0o666);
  });
  afterEach(async () => {
    sshd.close();
    server.close();
    await once(server, "close");
    assert.equal(shim.findings(), "");
  });

  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  const command = (...args: string[]) =>
    [shim.path, "principals", ...args].map((one) => `'${one}'`).join(" ");
  const question = (key = certificate, user = "deploy") => command(`--user=${user}`, `--key=${base64(key)}`);
  /** What sshd would read of its command. It never learns more: the status is always 0 (else it logs the certificate). */
  const told = async (script: string, options?: Parameters<SshdInPlace["start"]>[1]) => {
    const { status, stdout, stderr } = await sshd.start(script, options).go();
    assert.deepEqual([status, stderr], [0, ""]);
    return stdout.toString();
  };

  it("answers sshd's own child, with a text that is always the same", async () => {
    const odd = await makeCertificate({ content: { keyId: '",command="/bin/sh" sallyport', serial: 7n } });
    for (const one of [certificate, odd])
      assert.equal(await told(sshd.as(SSHD_UID, question(one))), ADMITTED);
    assert.deepEqual(
      decisions.map(([, { outcome }]) => outcome),
      ["admit", "admit"],
    );
  });

  it("remembers the decision by the connection, and tells of it once though sshd asks twice", async () => {
    const asking = sshd.start(`${sshd.as(SSHD_UID, question())} && ${sshd.as(SSHD_UID, question())}`);
    const { stdout } = await asking.go();
    assert.equal(stdout.toString(), ADMITTED + ADMITTED);
    assert.equal(decisions.length, 1);
    const login = host.logins.get(asking.identity);
    assert.deepEqual([login?.account, login?.uid, login?.refused], ["deploy", 1001, null]);
    assert.equal(login?.identity?.token.subject, "alice");
  });

  it("lets who is known but refused in, to be told why, and remembers that", async () => {
    host.condition.leaseUntil = NOW - 1;
    const asking = sshd.start(sshd.as(SSHD_UID, question()));
    assert.equal((await asking.go()).stdout.toString(), ADMITTED);
    assert.equal(host.logins.get(asking.identity)?.refused?.code, "lease-expired");
  });

  it("answers the last question of a connection: a refused key after an admitted one", async () => {
    const foreign = await makeCertificate({ ca: otherCa });
    const asking = sshd.start(`${sshd.as(SSHD_UID, question())} && ${sshd.as(SSHD_UID, question(foreign))}`);
    assert.equal((await asking.go()).stdout.toString(), ADMITTED);
    const login = host.logins.get(asking.identity);
    assert.deepEqual([login?.refused?.code, login?.identity], ["certificate-authority", null]);
  });

  for (const [what, ask] of [
    ["a certificate of another CA", async () => question(await makeCertificate({ ca: otherCa }))],
    ["a certificate without a token", async () => question(await makeCertificate({ tokenText: null }))],
    ["an account that does not exist", async () => question(certificate, "nobody-here")],
    ["no account", async () => command(`--key=${base64(certificate)}`)],
    ["no key", async () => command("--user=deploy")],
    ["an empty key", async () => command("--user=deploy", "--key=")],
    ["a key that is no base64", async () => command("--user=deploy", "--key=AAAA,command=")],
    ["a key that is no certificate", async () => command("--user=deploy", "--key=AAAA")],
    ["half a certificate", async () => question(certificate.subarray(0, certificate.length / 2))],
    ["nothing", async () => command()],
  ] as const) {
    it(`says nothing to ${what}`, async () => {
      assert.equal(await told(sshd.as(SSHD_UID, await ask())), "");
    });
  }

  for (const [who, script, options] of [
    ["another account than sshd's", () => sshd.as(1001, question()), () => ({})],
    ["root", () => question(), () => ({})],
    ["the child of another program", () => sshd.as(SSHD_UID, question()), () => ({ program: "/bin/dash" })],
    ["the child of an sshd that is not root's", () => question(), () => ({ uid: SSHD_UID })],
    ["the grandchild of an sshd", () => sshd.as(SSHD_UID, `sh -c "${question()}; true"`), () => ({})],
  ] as const) {
    it(`says nothing to ${who}, and decides nothing`, async () => {
      assert.equal(await told(script(), options()), "");
      assert.deepEqual(decisions, []);
    });
  }

  it("says nothing to a program copied over sshd's name elsewhere", async () => {
    copyFileSync("/bin/dash", directory.file("x-sshd"));
    assert.equal(await told(sshd.as(SSHD_UID, question()), { program: directory.file("x-sshd") }), "");
  });

  it("goes on answering an sshd whose file was replaced by an upgrade", async () => {
    const old = sshd.start(sshd.as(SSHD_UID, question()));
    rmSync(sshd.path);
    copyFileSync("/bin/dash", sshd.path);
    assert.equal((await old.go()).stdout.toString(), ADMITTED);
  });

  for (const [what, bytes, expected] of [
    ["a question in no sshd's name", () => shimFrame("q", Buffer.alloc(0)), "0000000170"],
    ["a frame of another kind", () => shimFrame("s", Buffer.from([1, 0, 0])), ""],
    ["a frame too large", () => Buffer.from("ffffffff71", "hex"), ""],
    ["an empty frame", () => Buffer.alloc(5), ""],
    ["half a frame and the end", () => Buffer.from("0000001071aa", "hex"), ""],
    ["nothing", () => Buffer.alloc(0), ""],
  ] as const) {
    it(`hangs up on ${what}, with nothing said`, async () => {
      const socket = connect(suite.file("run/principals.sock"));
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.on("error", () => {});
      if (what.includes("half") || what === "nothing") socket.end(bytes());
      else socket.write(bytes());
      await once(socket, "close");
      assert.equal(Buffer.concat(chunks).toString("hex"), expected);
      assert.equal(await told(sshd.as(SSHD_UID, question())), ADMITTED, "and goes on");
    });
  }
});
