import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { BINDING_EXTENSION, ID_TOKEN_EXTENSION } from "@sallyport/core/admission/certificate-extensions.ts";
import { verifyIdentity } from "@sallyport/core/admission/verify-identity.ts";
import { type RevocationResponse, SessionSummary } from "@sallyport/core/messages/client-api.ts";
import { parseJoinToken, Trust, trustHash } from "@sallyport/core/messages/trust.ts";
import { verifyBundle } from "@sallyport/core/policy/signed-document.ts";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import { parseCertificateLine, verifyCertificateSignature } from "@sallyport/core/ssh/certificate.ts";
import { fingerprint, parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, makeRecording } from "./support/host.ts";

describe("control plane, end to end", () => {
  let plane: TestControlPlane;
  before(async () => {
    plane = await startTestControlPlane();
  });
  after(() => plane.close());

  it("enrols a host, signs a contractor in, keeps a recording and ends access", async () => {
    const joinToken = await plane.joinToken("web-1", { env: "test" });
    const trust = Trust.parse((await call(plane.url, "GET", "/trust")).body);
    assert.equal(trustHash(trust), parseJoinToken(joinToken).trustHash);
    const host = await enrol(plane.url, joinToken);
    const hostCertificate = parseCertificateLine(host.certificates[0] ?? "");
    verifyCertificateSignature(hostCertificate);
    assert.deepEqual(hostCertificate.validPrincipals, ["web-1", "127.0.0.1"]);

    const link = await connect(plane.url, host);
    const first = await verifyBundle((await link.next("bundle")).jws, trust.policyKeys);
    assert.equal(first.version, 1);
    assert.deepEqual(
      first.members.map((member) => member.identities),
      [[], []],
    );
    link.send({ type: "bundle-ack", version: 1 });

    // The first sign-in pins the identity; the host has it before the certificate is out.
    const signingIn = signIn(plane.url, plane.idp.issuer, "dana");
    const second = await verifyBundle((await link.next("bundle")).jws, trust.policyKeys);
    link.send({ type: "bundle-ack", version: second.version });
    const dana = await signingIn;
    assert.equal(second.version, 2);
    assert.ok(second.members.some(({ identities }) => identities[0]?.subject === "dana"));
    assert.equal((await link.next("jwks-hint")).kid, "test-key");
    assert.deepEqual(dana.me.roles, ["contractor"]);
    assert.equal(dana.me.mfa, "mfa");
    assert.deepEqual(dana.me.hosts, [
      { name: "web-1", address: "127.0.0.1", port: 7302, accounts: ["deploy"] },
    ]);

    const certificate = parseCertificateLine(dana.certificate?.line ?? "");
    assert.deepEqual([...certificate.extensions.keys()].sort(), [
      BINDING_EXTENSION,
      ID_TOKEN_EXTENSION,
      "permit-pty",
    ]);
    assert.equal(certificate.keyId, `sallyport:${dana.me.memberId}:${dana.certificate?.serial}`);
    const jwks = {
      keys: [{ ...plane.idp.signingKey.publicKey.export({ format: "jwk" }), kid: "test-key", kty: "RSA" }],
    };
    const proven = await verifyIdentity(certificate.blob, {
      issuers: trust.issuers,
      keys: () => jwks,
      now: Date.now() / 1000,
      userCaKeys: trust.userCaKeys.map((line) => parsePublicKeyLine(line).blob),
    });
    assert.equal(proven.token.subject, "dana");

    const member = { id: dana.me.memberId ?? "", issuer: plane.idp.issuer, subject: "dana" };
    const serial = dana.certificate?.serial ?? "";
    const { session, blocks } = makeRecording(host, member, { serial });
    link.send({ type: "recording-query", recording: session });
    assert.deepEqual(await link.next("recording-offset"), {
      type: "recording-offset",
      recording: session,
      nextSequence: 0,
      complete: false,
    });
    link.socket.send(blocks[0]?.bytes ?? Buffer.alloc(0));
    assert.equal((await link.next("recording-offset")).nextSequence, 1);
    const [live] = SessionSummary.array().parse(
      (await call(plane.url, "GET", "/sessions?state=live", { token: dana.apiToken })).body,
    );
    assert.equal(live?.id, session);
    for (const block of blocks.slice(1)) link.socket.send(block.bytes);
    for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
    const stored = await fetch(`${plane.url}/api/v1/sessions/${session}/recording`, {
      headers: { authorization: `Bearer ${dana.apiToken}` },
    });
    const x = stored.headers.get("x-sallyport-host-key") ?? "";
    const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
    const verified = verifyRecording(new Uint8Array(await stored.arrayBuffer()), key);
    assert.equal(verified.blocks, blocks.length);
    const raw = await call(plane.url, "GET", `/sessions/${session}/export?format=raw`, {
      token: dana.apiToken,
    });
    assert.equal(raw.body, "hello\r\nworld\r\n");

    const sam = await signIn(plane.url, plane.idp.issuer, "sam");
    assert.deepEqual(sam.me.roles, ["admin"]);
    assert.equal(sam.certificate, null);
    const revoking = call(plane.url, "POST", "/revocations", {
      token: sam.apiToken,
      body: { level: "session", target: session, reason: "test" },
    });
    const entries = [];
    while (entries.length < 3) entries.push((await link.next("revocation")).entry);
    assert.deepEqual(
      entries.map(({ level, target }) => [level, target]),
      [
        ["session", session],
        ["certificate", serial],
        ["key", fingerprint(certificate.publicKey.blob)],
      ],
    );
    for (const { sequence } of entries)
      link.send({ type: "revocation-ack", sequence, endedSessions: [session] });
    const revoked = await revoking;
    assert.equal(revoked.status, 201);
    const told = (revoked.body as RevocationResponse).hosts.map(({ host, standing, endedSessions }) => ({
      ...{ host, standing, endedSessions },
    }));
    assert.deepEqual(told, [{ host: "web-1", standing: "has", endedSessions: [session] }]);
    await link.close();
  });
});
