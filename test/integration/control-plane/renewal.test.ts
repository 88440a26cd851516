import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import {
  FRESH_ID_TOKEN_EXTENSION,
  ID_TOKEN_EXTENSION,
} from "@sallyport/core/admission/certificate-extensions.ts";
import { verifyIdentity } from "@sallyport/core/admission/verify-identity.ts";
import { proofForRenewal, proofOfPossession } from "@sallyport/core/binding.ts";
import {
  type CertificateResponse,
  type RenewalRequest,
  RenewalResponse,
} from "@sallyport/core/messages/client-api.ts";
import { Trust } from "@sallyport/core/messages/trust.ts";
import { parseCertificateLine } from "@sallyport/core/ssh/certificate.ts";
import { parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { signSsh } from "@sallyport/core/ssh/signature.ts";
import { decodeJwt, type JSONWebKeySet, SignJWT } from "jose";
import {
  type Answer,
  type ClientKey,
  call,
  certificateRequest,
  challenge,
  makeClientKey,
  signIn,
} from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { refreshAtIdp, type Tokens, tokensAtIdp } from "./support/sign-in.ts";

/** Somebody who has signed in, and may go on without a browser. */
interface SignedIn extends Tokens {
  key: ClientKey;
  response: CertificateResponse;
}

/** What an attacker puts together in place of what belongs together. */
interface Parts {
  idToken: string;
  freshIdToken: string;
  key: ClientKey;
  challenge: string;
}

const HOUR_MS = 3_600_000;

describe("POST /certificates/renew, where the client keeps the refresh token", () => {
  let plane: TestControlPlane;
  let dana: SignedIn;

  before(async () => {
    plane = await startTestControlPlane({ issuer: { check: { by: "none" } } });
    dana = await signedIn("dana");
  });
  after(() => plane.close());
  afterEach(() => {
    plane.clock.offset = 0;
  });

  async function signedIn(sub: string): Promise<SignedIn> {
    const key = makeClientKey();
    const tokens = await tokensAtIdp(plane.idp.issuer, sub, key.nonce);
    const body = certificateRequest(key, tokens.idToken, await challenge(plane.url));
    const answer = await call(plane.url, "POST", "/certificates", { body });
    assert.equal(answer.status, 201, answer.message);
    return { ...tokens, key, response: answer.body as CertificateResponse };
  }

  function body({ idToken, freshIdToken, key, challenge }: Parts): RenewalRequest {
    const statement = proofForRenewal(key.binding, { idToken, freshIdToken }, challenge);
    const proof = Buffer.from(signSsh(key.privateKey, statement)).toString("base64");
    return { v: 1, idToken, freshIdToken, binding: key.binding, challenge, proof };
  }

  const post = (request: unknown): Promise<Answer> =>
    call(plane.url, "POST", "/certificates/renew", { body: request });

  /** Asks for a renewal that holds, but for these parts. */
  async function renew(changes: Partial<Parts> = {}): Promise<Answer> {
    const freshIdToken = changes.freshIdToken ?? (await forged());
    const { key, idToken } = dana;
    return post(body({ key, idToken, challenge: await challenge(plane.url), ...changes, freshIdToken }));
  }

  /** A token with the IdP's signature: what a refresh would bring by the control plane's clock, with changes. */
  function forged(changes: object = {}, key = plane.idp.signingKey): Promise<string> {
    const now = Math.floor(Date.now() / 1000) + plane.clock.offset / 1000;
    const { auth_time, aud = "", iss = "", sub = "" } = decodeJwt(dana.idToken);
    // The jti makes two tokens of one second two tokens.
    const jti = String(Math.random());
    const claims = { iss, sub, aud, auth_time, iat: now, exp: now + 600, jti, ...changes };
    return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: key.kid }).sign(key.privateKey);
  }

  const refusal = ({ status, code, message }: Answer) => `${status} ${code} ${message}`;

  it("certifies the same key again for what the IdP's refresh token brings, time after time", async () => {
    const serials = new Set([dana.response.certificate?.serial]);
    let { refreshToken } = dana;
    let before = dana.idToken;
    for (let round = 0; round < 2; round++) {
      let fresh: Tokens;
      // Two tokens of one second are one token: there is nothing else in them that changes.
      do {
        fresh = await refreshAtIdp(plane.idp.issuer, refreshToken);
        assert.notEqual(fresh.refreshToken, refreshToken, "the IdP rotates");
        refreshToken = fresh.refreshToken;
      } while (decodeJwt(fresh.idToken).iat === decodeJwt(before).iat);
      before = fresh.idToken;
      const answer = await renew({ freshIdToken: fresh.idToken });
      assert.equal(answer.status, 201, answer.message);
      const { certificate, renewableUntil, me } = RenewalResponse.parse(answer.body);
      serials.add(certificate.serial);
      assert.equal(renewableUntil, dana.response.renewableUntil);
      assert.deepEqual(me, dana.response.me);
      const { extensions, validBefore } = parseCertificateLine(certificate.line);
      assert.equal(Buffer.from(extensions.get(ID_TOKEN_EXTENSION) ?? []).toString(), dana.idToken);
      assert.equal(Buffer.from(extensions.get(FRESH_ID_TOKEN_EXTENSION) ?? []).toString(), fresh.idToken);
      assert.ok(validBefore <= (decodeJwt(fresh.idToken).exp ?? 0));
      await assertHostAccepts(certificate.line);
    }
    assert.equal(serials.size, 3);
  });

  async function assertHostAccepts(line: string, at = 0): Promise<void> {
    const trust = Trust.parse((await call(plane.url, "GET", "/trust")).body);
    const keys = (await (await fetch(`${plane.idp.issuer}/jwks`)).json()) as JSONWebKeySet;
    const identity = await verifyIdentity(parseCertificateLine(line).blob, {
      userCaKeys: trust.userCaKeys.map((one) => parsePublicKeyLine(one).blob),
      issuers: trust.issuers,
      keys: () => keys,
      now: (Date.now() + at) / 1000,
    });
    assert.deepEqual([identity.token.subject, identity.token.mfa], ["dana", "mfa"]);
  }

  it("never lets a certificate outlive the fresh token", async () => {
    const exp = Math.floor(Date.now() / 1000) + 45;
    const { certificate } = RenewalResponse.parse(
      (await renew({ freshIdToken: await forged({ exp }) })).body,
    );
    assert.equal(certificate.validBefore, exp);
  });

  const attacks: [what: string, parts: () => Promise<Partial<Parts>>, expected: RegExp][] = [
    [
      "a fresh token of another person",
      async () => ({ freshIdToken: await forged({ sub: "eve" }) }),
      /^400 token-invalid renewal-mismatch/,
    ],
    [
      "a fresh token of another client",
      async () => ({ freshIdToken: await forged({ aud: "another-app" }) }),
      /^400 token-invalid token-audience/,
    ],
    [
      "a fresh token of another issuer",
      async () => ({ freshIdToken: await forged({ iss: "https://evil.example" }) }),
      /^400 token-invalid token-issuer/,
    ],
    [
      "a fresh token that is another sign-in of the same person",
      async () => ({ freshIdToken: (await signedIn("dana")).idToken }),
      /^400 token-invalid renewal-mismatch/,
    ],
    [
      "the sign-in's own token as a fresh one",
      async () => ({ freshIdToken: dana.idToken }),
      /^400 token-invalid token-replayed/,
    ],
    [
      "a fresh token older than the sign-in",
      async () => ({ freshIdToken: await forged({ iat: (decodeJwt(dana.idToken).iat ?? 0) - 1 }) }),
      /^400 token-invalid renewal-mismatch/,
    ],
    [
      "a fresh token that is over, within what a host allows for clocks",
      async () => ({ freshIdToken: await forged({ exp: Math.floor(Date.now() / 1000) - 5 }) }),
      /^400 token-invalid token-expired/,
    ],
    [
      "a fresh token signed with HMAC and the IdP's public key",
      async () => {
        const secret = plane.idp.signingKey.publicKey.export({ format: "pem", type: "spki" });
        const [, payload = ""] = (await forged()).split(".");
        const header = Buffer.from(JSON.stringify({ alg: "HS256", kid: plane.idp.signingKey.kid }));
        const input = `${header.toString("base64url")}.${payload}`;
        return { freshIdToken: `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}` };
      },
      /^400 token-invalid token-algorithm/,
    ],
    [
      "a stolen sign-in, with a key of the thief's",
      async () => ({ key: makeClientKey() }),
      /^400 token-invalid nonce-mismatch/,
    ],
    [
      "a stolen sign-in with its binding, and the proof of another key",
      async () => ({ key: { ...dana.key, privateKey: makeClientKey().privateKey } }),
      /^400 proof-invalid/,
    ],
    [
      "both tokens in the other's place",
      async () => ({ idToken: await forged(), freshIdToken: dana.idToken }),
      /^400 token-invalid (nonce-mismatch|renewal-mismatch)/,
    ],
    ["a challenge of nobody's", async () => ({ challenge: "A".repeat(43) }), /^400 challenge-unknown/],
  ];
  for (const [what, parts, expected] of attacks) {
    it(`refuses ${what}`, async () => {
      assert.match(refusal(await renew(await parts())), expected);
    });
  }

  it("refuses the proof of a sign-in in place of that of a renewal", async () => {
    const request = body({ ...dana, freshIdToken: await forged(), challenge: await challenge(plane.url) });
    const statement = proofOfPossession(dana.key.binding, dana.idToken, request.challenge);
    const proof = Buffer.from(signSsh(dana.key.privateKey, statement)).toString("base64");
    assert.match(refusal(await post({ ...request, proof })), /^400 proof-invalid/);
  });

  it("takes a fresh token once, also from two who come at the same moment", async () => {
    const freshIdToken = await forged();
    const answers = await Promise.all([renew({ freshIdToken }), renew({ freshIdToken })]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 400]);
    const eve = await signedIn("eve");
    const stolen = { key: eve.key, idToken: eve.idToken, freshIdToken };
    assert.match(refusal(await renew(stolen)), /^400 token-invalid renewal-mismatch/);
  });

  it("takes no token for two of the same person's keys", async () => {
    const freshIdToken = await forged();
    assert.equal((await renew({ freshIdToken })).status, 201);
    const other = await signedIn("dana");
    const again = { key: other.key, idToken: other.idToken, freshIdToken };
    assert.match(refusal(await renew(again)), /^400 token-invalid (token-replayed|renewal-mismatch)/);
  });

  it("does not undo the revocation of a certificate, neither before nor after it was renewed", async () => {
    const sam = await signIn(plane.url, plane.idp.issuer, "sam");
    const mine = await signedIn("dana");
    const renewed = await renew({ ...mine, freshIdToken: await forged() });
    assert.equal(renewed.status, 201, renewed.message);
    const target = mine.response.certificate?.serial ?? "";
    const revoked = await call(plane.url, "POST", "/revocations", {
      token: sam.apiToken,
      body: { level: "certificate", target, reason: "stolen laptop" },
    });
    assert.equal(revoked.status, 201, revoked.message);
    assert.match(
      refusal(await renew({ ...mine, freshIdToken: await forged() })),
      /^403 forbidden (This SSH key|Your certificate) was revoked .* by sec@acme\.test: stolen laptop\. Ask sec@acme\.test\./,
    );
    // Hosts hear of the key: the certificate that was renewed to is over as well.
    const db = await plane.database();
    const { length } = await db
      .selectFrom("revocations")
      .selectAll()
      .where("level", "=", "key")
      .where("reason", "=", "stolen laptop")
      .execute();
    await db.destroy();
    assert.equal(length, 1);
  });

  it("refuses when no engagement runs, and says which one is to come", async () => {
    const eve = await signedIn("eve");
    const answer = await renew({ ...eve, freshIdToken: await forged({ sub: "eve" }) });
    assert.match(
      refusal(answer),
      /^409 conflict Engagement later-work starts 2089-01-01 00:00 UTC, and no other of yours is running\. Ask sec@acme\.test\./,
    );
  });

  it("refuses a revoked member", async () => {
    const sam = await signIn(plane.url, plane.idp.issuer, "sam");
    const eve = await signedIn("eve");
    const target = eve.response.me.memberId;
    await call(plane.url, "POST", "/revocations", {
      token: sam.apiToken,
      body: { level: "member", target, reason: "left" },
    });
    const answer = await renew({ ...eve, freshIdToken: await forged({ sub: "eve" }) });
    assert.match(refusal(answer), /^403 forbidden Your access was revoked .*: left\./);
  });

  it("goes on when the ID token of the sign-in has expired, and ends with the sign-in's day", async () => {
    plane.clock.offset = 11.9 * HOUR_MS;
    const late = await renew();
    assert.equal(late.status, 201, late.message);
    const { certificate, renewableUntil } = RenewalResponse.parse(late.body);
    assert.equal(certificate.validBefore, renewableUntil);
    await assertHostAccepts(certificate.line, plane.clock.offset);
    plane.clock.offset = 12 * HOUR_MS + 2000;
    assert.match(refusal(await renew()), /^400 token-invalid sign-in-too-old: .*Sign in again\.$/);
    plane.clock.offset = 13 * HOUR_MS;
    assert.match(refusal(await renew()), /^400 token-invalid sign-in-too-old: .*Sign in again\.$/);
  });

  it("leaves a trace of every renewal and refusal, without tokens", async () => {
    const db = await plane.database();
    const events = await db.selectFrom("audit_events").selectAll().execute();
    await db.destroy();
    const renewed = events.filter(({ type }) => type === "certificate-renewed");
    assert.ok(renewed.length >= 5);
    assert.ok(
      events.some(
        ({ type, data_json }) => type === "certificate-refused" && /renewal-mismatch/.test(data_json),
      ),
    );
    assert.ok(events.every(({ data_json }) => !/eyJ[\w-]+\./.test(data_json)));
  });
});
