import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { rotateKey } from "@sallyport/control-plane/keys/rotate-key-command.ts";
import { openStore } from "@sallyport/control-plane/store.ts";
import { helloStatement, KEYS_CAPABILITY } from "@sallyport/core/messages/host-link.ts";
import { verifyKeyStatement } from "@sallyport/core/messages/key-succession.ts";
import { Trust } from "@sallyport/core/messages/trust.ts";
import {
  formatCertificateLine,
  parseCertificateLine,
  signCertificate,
} from "@sallyport/core/ssh/certificate.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { call } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, type TestHost, TestLink } from "./support/host.ts";

const DAY = 86_400_000;

describe("keys on the host link", () => {
  let control: TestControlPlane;
  let host: TestHost;
  before(async () => {
    control = await startTestControlPlane();
    host = await enrol(control.url, await control.joinToken("web-1"));
  });
  after(() => control.close());
  beforeEach(() => {
    control.clock.offset = 0;
  });

  const certificate = (): string => host.certificates[0] ?? assert.fail("no certificate");
  const key = (line = certificate()) => formatPublicKeyLine(parseCertificateLine(line).publicKey);
  /** Resolves when everything that was sent before has been dealt with. */
  const settled = async (link: TestLink) => {
    const recording = "ses_00000000000000000000000000" as never;
    link.send({ type: "recording-query", recording });
    await link.next("recording-offset");
  };
  async function modern(): Promise<TestLink> {
    const link = new TestLink(control.url);
    const { server, nonce } = await link.next("challenge");
    link.send({
      ...{
        type: "hello",
        v: 1,
        hostId: host.id,
        agentVersion: "test",
        bundleVersion: 0,
        revocationSequence: 0,
      },
      signature: sign(null, helloStatement(server, host.id, nonce), host.key).toString("base64url"),
      capabilities: [KEYS_CAPABILITY, "something-of-tomorrow"],
    });
    await link.next("welcome");
    return link;
  }
  async function rotate(step: { finish?: true; force?: true } = {}) {
    const config = { ...control.config, url: control.url };
    const { db, keys } = await openStore({ config, databaseUrl: control.databaseUrl });
    const environment = { clock: Date.now, random: (length: number) => new Uint8Array(length) };
    const options = { kind: "user-ca", finish: false, force: false, status: false, ...step };
    await rotateKey({ db, environment, keys, config }, options).finally(() => db.destroy());
  }
  const trust = async () => Trust.parse((await call(control.url, "GET", "/trust")).body);

  it("host certificates are renewed when a third is left, under the host's own names alone", async () => {
    const link = await connect(control.url, host);
    const { validAfter, validBefore } = parseCertificateLine(certificate());
    assert.ok(Math.abs(validBefore - validAfter - 30 * 86_400 - 3600) < 2);
    link.send({ type: "ssh-host-keys", keys: [{ key: key(), certificate: certificate() }] });
    await settled(link);
    control.clock.offset = 21 * DAY;
    link.send({ type: "ssh-host-keys", keys: [{ key: key(), certificate: certificate() }] });
    const renewed = parseCertificateLine((await link.next("host-certificates")).certificates[0] ?? "");
    assert.ok(renewed.validBefore > validBefore + 20 * 86_400);
    assert.deepEqual(renewed.validPrincipals, ["web-1", "127.0.0.1"]);
    await link.close();
  });

  it("a host that says it is another, gets a certificate for itself", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const publicKey = publicKeyFromKeyObject(privateKey);
    const now = Math.floor(Date.now() / 1000);
    const content = {
      certType: "host" as const,
      publicKey,
      nonce: new Uint8Array(32),
      serial: 1n,
      keyId: "db-1",
    };
    const validity = { validPrincipals: ["db-1"], validAfter: now, validBefore: now + 1e6 };
    const claim = formatCertificateLine(signCertificate({ ...content, ...validity }, privateKey));
    const link = await connect(control.url, host);
    link.send({ type: "ssh-host-keys", keys: [{ key: formatPublicKeyLine(publicKey), certificate: claim }] });
    const given = parseCertificateLine((await link.next("host-certificates")).certificates[0] ?? "");
    assert.deepEqual(given.validPrincipals, ["web-1", "127.0.0.1"]);
    assert.equal(given.certType, "host");
    // Asking again at once makes no work.
    link.send({ type: "ssh-host-keys", keys: [{ key: formatPublicKeyLine(publicKey), certificate: claim }] });
    await settled(link);
    await link.close();
  });

  it("a key's successor is told to hosts that understand it, and signs when they have it", async () => {
    const before = await trust();
    const [old, link] = [await connect(control.url, host), await modern()];
    await old.closed; // replaced
    await rotate();
    const { statement } = await link.next("key-statement");
    const keys = verifyKeyStatement(statement);
    assert.ok(before.userCaKeys[0]?.startsWith(formatPublicKeyLine(keys.old)));
    assert.equal((await trust()).userCaKeys.length, 2);
    await rotate({ force: true });
    await assert.rejects(rotate(), /goes on already/);
    await assert.rejects(rotate({ finish: true }), /hosts that have not the new key yet: web-1/);
    await rotate({ finish: true, force: true });
    assert.equal((await link.next("key-statement")).statement.type, "retirement");
    assert.deepEqual((await trust()).userCaKeys, [`${formatPublicKeyLine(keys.new)} sallyport-user-ca`]);
    await link.close();
  });

  it("an older host is told nothing that it does not understand", async () => {
    const link = await connect(control.url, host);
    await link.next("bundle");
    await settled(link);
    const told = await Promise.race([link.next("key-statement"), Promise.resolve("nothing")]);
    assert.equal(told, "nothing");
    await link.close();
  });
});
