import assert from "node:assert/strict";
import { sign } from "node:crypto";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { FRESH_ID_TOKEN_EXTENSION } from "@sallyport/core/admission/certificate-extensions.ts";
import { proofForRenewal } from "@sallyport/core/binding.ts";
import {
  CertificateResponse,
  ClientConfiguration,
  type RenewalRequest,
  RenewalResponse,
} from "@sallyport/core/messages/client-api.ts";
import { parseCertificateLine } from "@sallyport/core/ssh/certificate.ts";
import { fingerprint, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { signSsh } from "@sallyport/core/ssh/signature.ts";
import { decodeJwt } from "jose";
import { until } from "../../../demo/light-host/until.ts";
import {
  type Answer,
  type ClientKey,
  call,
  certificateRequest,
  challenge,
  makeClientKey,
} from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { refreshAtIdp, tokensAtIdp } from "./support/sign-in.ts";

/** Somebody who has signed in, and handed over their refresh token. */
interface SignedIn {
  key: ClientKey;
  idToken: string;
  refreshToken: string;
  response: CertificateResponse;
}

const HOUR_MS = 3_600_000;

describe("refresh tokens that the control plane keeps", () => {
  let plane: TestControlPlane;
  let db: Database;

  before(async () => {
    plane = await startTestControlPlane();
    db = await plane.database();
  });
  after(async () => {
    await db?.destroy();
    await plane?.close();
  });
  afterEach(() => {
    plane.idp.rewrite = undefined;
    plane.clock.offset = 0;
  });

  /** Signs in at the IdP and here; `refreshToken` instead of their own, null for none. */
  async function trySignIn(
    sub: string,
    changes: { refreshToken?: string | null; key?: ClientKey } = {},
  ): Promise<{ answer: Answer } & Omit<SignedIn, "response">> {
    const { key = makeClientKey() } = changes;
    const tokens = await tokensAtIdp(plane.idp.issuer, sub, key.nonce);
    const { refreshToken = tokens.refreshToken } = changes;
    const request = certificateRequest(key, tokens.idToken, await challenge(plane.url));
    const body = refreshToken === null ? request : { ...request, refreshToken };
    return { ...tokens, key, answer: await call(plane.url, "POST", "/certificates", { body }) };
  }

  async function signedIn(...input: Parameters<typeof trySignIn>): Promise<SignedIn> {
    const { answer, ...rest } = await trySignIn(...input);
    assert.equal(answer.status, 201, answer.message);
    return { ...rest, response: CertificateResponse.parse(answer.body) };
  }

  /** Asks for a renewal without a fresh ID token, but for `changes`. */
  async function renew(
    { key, idToken }: Pick<SignedIn, "key" | "idToken">,
    changes: { privateKey?: ClientKey["privateKey"]; freshIdToken?: string } = {},
  ): Promise<Answer> {
    const { privateKey = key.privateKey, freshIdToken } = changes;
    const signed = { idToken, freshIdToken };
    const asked = await challenge(plane.url);
    const proof = signSsh(privateKey, proofForRenewal(key.binding, signed, asked));
    const body: RenewalRequest = {
      ...{ v: 1, idToken, binding: key.binding, challenge: asked },
      proof: Buffer.from(proof).toString("base64"),
      ...(freshIdToken === undefined ? {} : { freshIdToken }),
    };
    return call(plane.url, "POST", "/certificates/renew", { body });
  }

  const refusal = ({ status, code, message }: Answer) => `${status} ${code} ${message}`;
  const keyOf = ({ key }: Pick<SignedIn, "key">) => fingerprint(publicKeyFromKeyObject(key.privateKey).blob);
  const grantOf = (who: Pick<SignedIn, "key">) =>
    db.selectFrom("sign_in_grants").selectAll().where("key_fingerprint", "=", keyOf(who)).executeTakeFirst();
  const freshTokenIn = (answer: Answer) => {
    const { extensions } = parseCertificateLine(RenewalResponse.parse(answer.body).certificate.line);
    return Buffer.from(extensions.get(FRESH_ID_TOKEN_EXTENSION) ?? []).toString();
  };

  function withoutNonce(token: string): string {
    const { nonce: _, ...claims } = decodeJwt(token);
    const { kid, privateKey } = plane.idp.signingKey;
    const signed = [{ alg: "RS256", kid }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
  }

  it("are asked of clients, and renew without one of theirs", async () => {
    const { body } = await call(plane.url, "GET", "/client-configuration");
    assert.equal(ClientConfiguration.parse(body).issuers[0]?.refreshTokenKeeper, "control-plane");
    const dana = await signedIn("dana");
    const answer = await renew(dana);
    assert.equal(answer.status, 201, answer.message);
    const { certificate, renewableUntil } = RenewalResponse.parse(answer.body);
    assert.equal(renewableUntil, dana.response.renewableUntil);
    assert.notEqual(certificate.serial, dana.response.certificate?.serial);
    assert.notEqual(freshTokenIn(answer), "");
  });

  it("give one fresh ID token to two who renew at the same moment, and to the next", async () => {
    const dana = await signedIn("dana");
    const answers = await Promise.all([renew(dana), renew(dana)]);
    answers.push(await renew(dana));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [201, 201, 201],
    );
    assert.equal(new Set(answers.map(freshTokenIn)).size, 1);
  });

  it("give nobody an ID token to sign in with: that of a certificate is used up", async () => {
    const dana = await signedIn("dana");
    // As with many IdPs: such a token commits to no key.
    plane.idp.rewrite = (_path, body) =>
      typeof body.id_token === "string" ? { ...body, id_token: withoutNonce(body.id_token) } : body;
    const idToken = freshTokenIn(await renew(dana));
    assert.equal(decodeJwt(idToken).nonce, undefined);
    const body = certificateRequest(makeClientKey(), idToken, await challenge(plane.url));
    const answer = await call(plane.url, "POST", "/certificates", { body });
    assert.match(refusal(answer), /^400 token-invalid token-replayed/);
  });

  it("are nowhere to be read: not in the database, nor in the audit log", async () => {
    const dana = await signedIn("dana");
    const idToken = freshTokenIn(await renew(dana));
    const rows = [await grantOf(dana), ...(await db.selectFrom("audit_events").selectAll().execute())];
    const text = JSON.stringify(rows);
    for (const secret of [dana.refreshToken, idToken, dana.idToken]) assert.ok(!text.includes(secret));
  });

  it("are not there for a sign-in without one: it is not renewed, not even with a fresh ID token", async () => {
    const dana = await signedIn("dana", { refreshToken: null });
    assert.equal(dana.response.renewableUntil, null);
    assert.match(refusal(await renew(dana)), /^400 token-invalid .*Sign in again/);
    const { idToken: freshIdToken } = await refreshAtIdp(plane.idp.issuer, dana.refreshToken);
    // Whoever kept theirs for themselves could not be asked about.
    assert.match(
      refusal(await renew(dana, { freshIdToken })),
      /^400 token-invalid .*update it and sign in again/,
    );
  });

  it("renew nobody's certificate but that of their own key", async () => {
    const [dana, eve] = [await signedIn("dana"), await signedIn("eve")];
    assert.match(
      refusal(await renew({ key: dana.key, idToken: dana.idToken }, { privateKey: eve.key.privateKey })),
      /^400 proof-invalid/,
    );
    assert.match(
      refusal(await renew({ key: eve.key, idToken: dana.idToken })),
      /^400 token-invalid nonce-mismatch/,
    );
    const stranger = { ...dana, key: makeClientKey() };
    assert.match(refusal(await renew(stranger)), /^400 token-invalid nonce-mismatch/);
  });

  it("vouch for their owner only: another person's ends the sign-in that it was handed over with", async () => {
    const dana = await signedIn("dana");
    const stolen = (await tokensAtIdp(plane.idp.issuer, "dana", "x")).refreshToken;
    const eve = await signedIn("eve", { refreshToken: stolen });
    assert.match(refusal(await renew(eve)), /^403 no-longer-vouched /);
    assert.equal(await grantOf(eve), undefined);
    assert.equal((await renew(dana)).status, 201);
  });

  it("stay those of one person for a key: nobody drops out of the check by signing in as somebody else", async () => {
    const dana = await signedIn("dana");
    const { answer } = await trySignIn("eve", { key: dana.key });
    assert.match(refusal(answer), /^403 forbidden Somebody else has signed in with this SSH key/);
    assert.equal((await grantOf(dana))?.subject, "dana");
    assert.equal((await renew(dana)).status, 201);
  });

  it("are asked with no later for another sign-in with the same key", async () => {
    const dana = await signedIn("dana");
    const due = (await grantOf(dana))?.next_check_at_ms ?? 0;
    // Two ID tokens of one second are one and the same.
    const { iat } = decodeJwt(dana.idToken);
    assert.ok(await until(() => Math.floor(Date.now() / 1000) > (iat ?? 0), 2000));
    await signedIn("dana", { key: dana.key });
    assert.equal((await grantOf(dana))?.next_check_at_ms, due);
  });

  it("end with the account at the IdP: no renewal, and nothing left that a sign-in would not bring again", async () => {
    const eve = await signedIn("eve");
    const account = plane.idp.accounts.get("eve");
    assert.ok(account !== undefined);
    plane.idp.accounts.delete("eve");
    for (const _ of [1, 2])
      assert.match(
        refusal(await renew(eve)),
        /^403 no-longer-vouched .*no longer vouches for you \(invalid_grant/,
      );
    assert.equal(await grantOf(eve), undefined);
    const revoked = await db.selectFrom("revocations").selectAll().where("target", "=", keyOf(eve)).execute();
    assert.deepEqual(
      revoked.map(({ level, by }) => [level, by]),
      [["key", "active check of Test IdP"]],
    );
    plane.idp.accounts.set("eve", account);
    await signedIn("eve");
    assert.match(refusal(await renew(eve)), /^403 no-longer-vouched/);
  });

  it("go on when the IdP was away: nothing is lost, and nobody is refused for it", async () => {
    const dana = await signedIn("dana");
    plane.idp.rewrite = (path, body) => (path === "/token" ? { busy: true } : body);
    assert.match(refusal(await renew(dana)), /^503 issuer-unreachable .*Try again in a minute/);
    plane.idp.rewrite = undefined;
    assert.ok((await grantOf(dana)) !== undefined);
  });

  it("renew no more after their owner has signed out, and are asked with until nothing hangs on them", async () => {
    const [dana, other] = [await signedIn("dana"), await signedIn("dana")];
    const signOut = (who: SignedIn, key: string) =>
      call(plane.url, "DELETE", `/token?${new URLSearchParams({ key })}`, { token: who.response.apiToken });
    assert.equal((await signOut(dana, keyOf(dana))).status, 204);
    assert.match(refusal(await renew(dana)), /^400 token-invalid .*Sign in again/);
    assert.equal((await renew(other)).status, 201, "on another machine it goes on");
    // Whoever signs out with a session open must not be forgotten while it is.
    assert.ok((await grantOf(dana)) !== undefined);
    plane.clock.offset = 2 * HOUR_MS;
    assert.ok(await until(async () => (await grantOf(dana)) === undefined, 20_000));
  });

  it("are not ended by another person", async () => {
    const [dana, eve] = [await signedIn("dana"), await signedIn("eve")];
    const query = new URLSearchParams({ key: keyOf(dana) });
    const answer = await call(plane.url, "DELETE", `/token?${query}`, { token: eve.response.apiToken });
    assert.equal(answer.status, 204);
    assert.equal((await renew(dana)).status, 201);
  });
});

describe("refresh tokens that are required, as they are by default", () => {
  it("come with every sign-in of a contractor, or it is refused; staff need none", async () => {
    const plane = await startTestControlPlane({ issuer: { check: { required: undefined } } });
    try {
      const signIn = async (sub: string, withToken: boolean) => {
        const key = makeClientKey();
        const { idToken, refreshToken } = await tokensAtIdp(plane.idp.issuer, sub, key.nonce);
        const request = certificateRequest(key, idToken, await challenge(plane.url));
        const body = withToken ? { ...request, refreshToken } : request;
        return call(plane.url, "POST", "/certificates", { body });
      };
      const { status, code, message } = await signIn("dana", false);
      assert.match(`${status} ${code} ${message}`, /^400 token-invalid The sign-in brought no refresh token/);
      assert.equal((await signIn("dana", true)).status, 201);
      assert.equal((await signIn("sam", false)).status, 201);
    } finally {
      await plane.close();
    }
  });
});

describe("refresh tokens that nobody wants", () => {
  it("are not looked at where the issuer is not asked: the client keeps its own", async () => {
    const plane = await startTestControlPlane({ issuer: { check: { by: "none" } } });
    const db = await plane.database();
    try {
      const { body } = await call(plane.url, "GET", "/client-configuration");
      assert.equal(ClientConfiguration.parse(body).issuers[0]?.refreshTokenKeeper, "client");
      const key = makeClientKey();
      const { idToken, refreshToken } = await tokensAtIdp(plane.idp.issuer, "dana", key.nonce);
      const request = certificateRequest(key, idToken, await challenge(plane.url));
      const answer = await call(plane.url, "POST", "/certificates", { body: { ...request, refreshToken } });
      assert.equal(answer.status, 201, answer.message);
      assert.deepEqual(await db.selectFrom("sign_in_grants").selectAll().execute(), []);
      const events = await db.selectFrom("audit_events").selectAll().execute();
      assert.ok(!JSON.stringify(events).includes(refreshToken));
    } finally {
      await db.destroy();
      await plane.close();
    }
  });
});
