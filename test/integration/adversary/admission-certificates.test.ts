import assert from "node:assert/strict";
import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CertificateContent } from "@sallyport/core/ssh/certificate.ts";
import { formatOpenSshPrivateKey } from "@sallyport/core/ssh/private-key.ts";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import {
  type ForgedLogin,
  type Forgery,
  forgeLogin,
  sshWithIdentity,
  stolenUserCa,
} from "../../fixtures/forged-login.ts";
import { run } from "../../fixtures/processes.ts";
import { signAnything } from "../../fixtures/raw-certificate.ts";
import { sessionsOf, sessionWhere } from "../../fixtures/sessions.ts";
import { PEOPLE, type Person, startWorld, type World } from "../../fixtures/world.ts";

/** Everything about these logins is good but the certificate: the identity provider has signed for the very key. */
describe("a certificate", () => {
  let world: World;
  let alice: Person;
  let subject: string;
  let worked = 0;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    subject = PEOPLE.find((one) => one.name === "alice")?.sub ?? "";
    alice = await world.signedIn("alice");
    await good({ sign: signAnything });
  });
  after(() => world.close());

  /** The forger can make logins that work, so what is refused is refused for its reason. */
  const good = async (forgery: Forgery = {}): Promise<ForgedLogin> => {
    const login = forgeLogin(world, subject, forgery);
    const { stdout, stderr } = await run(login.ssh("echo in"));
    assert.equal(stdout.toString(), "in\n", stderr);
    worked++;
    return login;
  };

  /** Tries to log in; returns the agent's code, or null where sshd did not even ask. */
  const attempt = async (forgery: Forgery): Promise<unknown> => {
    const since = agentLog(world).length;
    const outcome = await run(forgeLogin(world, subject, { sign: signAnything, ...forgery }).ssh("echo in"));
    assert.equal(outcome.status, 255);
    assert.equal(outcome.stdout.toString(), "");
    assert.match(outcome.stderr, /^deploy@127\.0\.0\.1: Permission denied \(publickey\)\.\s*$/);
    // The agent's log is in its order: what this attempt made it say stands before this question's line.
    await run(forgeLogin(world, subject, { token: () => null }).ssh("true"));
    await logged(world, ({ message, code }) => message === "login" && code === "token-missing", since);
    const [first] = agentLog(world)
      .slice(since)
      .filter(({ message }) => message === "login");
    return first?.code === "token-missing" ? null : first?.code;
  };
  const saying = (changes: Partial<CertificateContent>): Forgery => ({
    certificate: (content) => ({ ...content, ...changes }),
  });

  const principals: [what: string, principals: string[]][] = [
    ["a comma and another name", ["sallyport,root"]],
    ["a line end and another name", ["sallyport\nroot"]],
    ["a line end and options of its own", ['root\ncommand="/bin/sh" sallyport']],
    ["a quote", ['sallyport"']],
    ["options in front", ['command="/bin/sh",pty sallyport']],
    ["a blank behind", ["sallyport "]],
    ["a star", ["*"]],
    ["no text", [""]],
    ["the account's name", ["deploy"]],
    ["another name besides", ["root", "sallyport"]],
    ["the right name twice", ["sallyport", "sallyport"]],
  ];
  for (const [what, validPrincipals] of principals) {
    it(`is refused with certificate-principals: a principal with ${what}`, async () => {
      assert.equal(await attempt(saying({ validPrincipals })), "certificate-principals");
    });
  }
  it("is refused with certificate-principals: no principal at all", async () => {
    assert.equal(await attempt(saying({ validPrincipals: [] })), "certificate-principals");
  });
  it("is refused by OpenSSH's reading of it: a principal with a NUL", async () => {
    const withNul = (content: CertificateContent, ca: KeyObject) => {
      const blob = Buffer.from(signAnything({ ...content, validPrincipals: ["sallyport#"] }, ca));
      blob.writeUInt8(0, blob.indexOf("sallyport#") + "sallyport".length);
      return blob;
    };
    assert.equal(await attempt({ sign: withNul }), null);
  });

  const options: [what: string, name: string, value: string][] = [
    ["an unknown critical option", "anything@example.com", "yes"],
    ["force-command, a shell", "force-command", "/bin/sh"],
    ["force-command, the very line of ours", "force-command", "/usr/local/lib/sallyport/shim session"],
    ["source-address, the right one", "source-address", "127.0.0.1"],
    ["verify-required", "verify-required", ""],
  ];
  for (const [what, name, value] of options) {
    it(`is refused with certificate-options: ${what}`, async () => {
      assert.equal(
        await attempt(saying({ criticalOptions: new Map([[name, value]]) })),
        "certificate-options",
      );
    });
  }

  it("opens nothing as the CA's own key, with and without a certificate of its own", async () => {
    const ca = stolenUserCa(world);
    const file = join(world.directory, "user-ca-as-identity");
    writeFileSync(file, formatOpenSshPrivateKey(ca, "ca", 1), { mode: 0o600 });
    const plain = await run([...sshWithIdentity(world, file), "echo in"]);
    assert.equal(plain.status, 255);
    assert.match(plain.stderr, /Permission denied/);
    // Certified by itself: the identity provider has never signed for it.
    assert.equal(await attempt({ key: ca, claims: { nonce: "YW5vdGhlciBrZXk" } }), "nonce-mismatch");
  });

  it("is refused by sshd: signed by the host CA", async () => {
    const hostCa = createPrivateKey(readFileSync(join(world.directory, "control-plane/keys/host-ca.pem")));
    assert.equal(await attempt({ ca: hostCa }), null);
  });

  it("is refused by sshd: the host's own certificate, with the host's own key", async () => {
    const file = join(world.directory, "host-as-identity");
    const [key, certificate] = await Promise.all(
      ["", "-cert.pub"].map((end) => world.host.readFile(`/etc/ssh/ssh_host_ed25519_key${end}`)),
    );
    writeFileSync(file, String(key), { mode: 0o600 });
    writeFileSync(`${file}-cert.pub`, String(certificate));
    const outcome = await run([...sshWithIdentity(world, file), "echo in"]);
    assert.equal(outcome.status, 255);
    assert.match(outcome.stderr, /Permission denied/);
  });

  // OpenSSH takes no certificate in the place of a CA's key; that ours does not either is a unit test's to say.
  it("certifies no other: signed by a certified key, and by a certificate", async () => {
    const honest = await good();
    assert.equal(await attempt({ ca: honest.privateKey }), null);
    const byCertificate: Forgery = {
      sign: (content) => signAnything(content, honest.privateKey, honest.certificate),
    };
    assert.equal(await attempt(byCertificate), null);
    // The CA's signature, but a certificate of the CA's where its key should stand.
    const ca = stolenUserCa(world);
    const caCertificate = forgeLogin(world, subject, { key: ca }).certificate;
    assert.equal(await attempt({ sign: (content) => signAnything(content, ca, caCertificate) }), null);
  });

  it("has opened no session in any of these attempts", async () => {
    await run(forgeLogin(world, subject).ssh("echo last"));
    await sessionWhere(alice, ({ command }) => command === "echo last");
    const commands = (await sessionsOf(alice)).map(({ command }) => command);
    const shown = Array.from({ length: worked }, () => "echo in");
    assert.deepEqual(
      commands,
      ["echo last", ...shown],
      "only what showed that the forger's certificates work",
    );
  });
});
