import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, randomUUID } from "node:crypto";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { identityTarget } from "@sallyport/core/policy/revocation.ts";
import { fingerprint, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { SignJWT } from "jose";
import {
  type ClientKey,
  call,
  certificateRequest,
  challenge,
  makeClientKey,
  signIn,
} from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol } from "./support/host.ts";
import { startIdentityProvider, type TestIdentityProvider } from "./support/identity-provider.ts";
import { type Browser, signInAtIdp, signOutAtIdp } from "./support/sign-in.ts";

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
const FORM = "application/x-www-form-urlencoded";

const post = async (url: string, body: string | URLSearchParams, type = FORM) => {
  const init = { method: "POST", headers: { "content-type": type }, body: body.toString() };
  const response = await fetch(`${url}/backchannel-logout`, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
};
const deliver = (url: string, token: string) => post(url, new URLSearchParams({ logout_token: token }));

const keyOf = ({ privateKey }: ClientKey) => fingerprint(publicKeyFromKeyObject(privateKey).blob);

describe("back-channel logout by a real oidc-provider", () => {
  let plane: TestControlPlane;
  let db: Database;
  const start = (namesSessions: boolean) => async () => {
    plane = await startTestControlPlane({ idp: { namesSessions } });
    plane.idp.logoutUri = `${plane.url}/backchannel-logout`;
    db = await plane.database();
  };
  const stop = async () => {
    await db.destroy();
    await plane.close();
  };
  const isIn = async (token: string) => (await call(plane.url, "GET", "/me", { token })).status === 200;

  describe("that names sessions", () => {
    before(start(true));
    after(stop);

    it("ends what that session signed in for, tells hosts at once, and leaves another machine's alone", async () => {
      const [laptop, desktop]: [Browser, Browser] = [new Map(), new Map()];
      const ended = await signIn(plane.url, plane.idp.issuer, "dana", laptop);
      const stays = await signIn(plane.url, plane.idp.issuer, "dana", desktop);
      const link = await connect(plane.url, await enrol(plane.url, await plane.joinToken("web-1")));
      await signOutAtIdp(plane.idp.issuer, laptop);
      assert.deepEqual(plane.idp.logoutAnswers, [200]);
      const entries = await listRevocations(db);
      const told = entries.map(({ level, target, before }) => ({ level, target, before }));
      assert.deepEqual(told, [{ level: "key", target: keyOf(ended.key), before: null }]);
      assert.equal((await link.next("revocation")).entry.id, entries[0]?.id);
      await link.close();
      assert.deepEqual([await isIn(ended.apiToken), await isIn(stays.apiToken)], [false, true]);
      const again = await signIn(plane.url, plane.idp.issuer, "dana", laptop);
      assert.ok(await isIn(again.apiToken));
    });

    it("refuses an ID token of the ended session that is brought afterwards", async () => {
      const browser: Browser = new Map();
      const key = makeClientKey();
      const idToken = await signInAtIdp(plane.idp.issuer, "dana", key.nonce, "sallyport-cli", browser);
      await signOutAtIdp(plane.idp.issuer, browser);
      const body = certificateRequest(key, idToken, await challenge(plane.url));
      const late = await call(plane.url, "POST", "/certificates", { body });
      assert.equal(late.code, "token-invalid");
      assert.match(late.message, /signed out at your IdP/);
      assert.ok((await listRevocations(db)).every(({ target }) => target !== keyOf(key)));
    });

    it("ends staff, who have no certificate", async () => {
      const browser: Browser = new Map();
      const { apiToken } = await signIn(plane.url, plane.idp.issuer, "sam", browser);
      assert.ok(await isIn(apiToken));
      await signOutAtIdp(plane.idp.issuer, browser);
      assert.equal(await isIn(apiToken), false);
    });
  });

  describe("that names people only", () => {
    before(start(false));
    after(stop);

    it("ends all that somebody signed in for so far", async () => {
      const browser: Browser = new Map();
      const { apiToken } = await signIn(plane.url, plane.idp.issuer, "dana", browser);
      const other = await signIn(plane.url, plane.idp.issuer, "dana");
      await signOutAtIdp(plane.idp.issuer, browser);
      assert.deepEqual(plane.idp.logoutAnswers, [200]);
      const [entry, ...more] = await listRevocations(db);
      assert.deepEqual(more, []);
      assert.equal(entry?.level, "identity");
      assert.equal(entry.target, identityTarget(plane.idp.issuer, "dana"));
      assert.ok(entry.before !== null && entry.before > entry.at);
      assert.deepEqual([await isIn(apiToken), await isIn(other.apiToken)], [false, false]);
    });
  });
});

describe("POST /backchannel-logout", () => {
  let plane: TestControlPlane;
  let other: TestIdentityProvider;
  let db: Database;
  let clientKey: ClientKey;
  let idToken: string;
  before(async () => {
    other = await startIdentityProvider();
    plane = await startTestControlPlane({
      idp: { namesSessions: true },
      issuer: { backChannelLogout: { clientIds: ["portal"] } },
      moreIssuers: [{ name: "Other IdP", issuer: other.issuer, clientId: "sallyport-cli" }],
      config: { rateLimit: { failures: { perSecond: 1, burst: 1000 } } },
    });
    db = await plane.database();
    ({ key: clientKey } = await signIn(plane.url, plane.idp.issuer, "dana"));
    const nonce = makeClientKey().nonce;
    idToken = await signInAtIdp(plane.idp.issuer, "dana", nonce);
  });
  after(async () => {
    await db.destroy();
    await plane.close();
    await other.close();
  });

  const sidOf = async (subject: string) =>
    (
      await db
        .selectFrom("sign_in_sessions")
        .select("sid")
        .where("subject", "=", subject)
        .executeTakeFirstOrThrow()
    ).sid;
  const now = () => Math.floor(Date.now() / 1000);
  const claims = (changes: object = {}) => ({
    ...{ iss: plane.idp.issuer, aud: "sallyport-cli", sub: "dana", jti: randomUUID() },
    ...{ iat: now(), exp: now() + 120, events: { [EVENT]: {} } },
    ...changes,
  });
  const token = (
    changes: object = {},
    { header = {}, by = plane.idp }: { header?: object; by?: TestIdentityProvider } = {},
  ) =>
    new SignJWT(claims(changes))
      .setProtectedHeader({ alg: "RS256", typ: "logout+jwt", kid: by.signingKey.kid, ...header })
      .sign(by.signingKey.privateKey);
  const byHand = (header: object, payload: string | object, sign: (input: string) => string) => {
    const input = [header, payload]
      .map((part) =>
        Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url"),
      )
      .join(".");
    return `${input}.${sign(input)}`;
  };
  const sequence = async () => (await listRevocations(db)).length;
  const lastEvent = async () => (await listAuditEvents(db, 1))[0];

  const strangerKey = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const hostile: [what: string, make: () => Promise<string> | string][] = [
    ["an ID token of the same client", () => idToken],
    ["a SET of RFC 8417", () => token({}, { header: { typ: "secevent+jwt" } })],
    ["an access token", () => token({}, { header: { typ: "at+jwt" } })],
    ["a nonce, even null", () => token({ nonce: null })],
    ["a nonce", () => token({ nonce: "n" })],
    ["no events", () => token({ events: undefined })],
    [
      "events without the logout",
      () => token({ events: { "https://schemas.openid.net/secevent/risc/event-type/account-enabled": {} } }),
    ],
    ["a logout event that is no object", () => token({ events: { [EVENT]: true } })],
    ["events as a list", () => token({ events: [EVENT] })],
    ["neither sub nor sid", () => token({ sub: undefined })],
    ["an empty sub", () => token({ sub: "" })],
    ["a sub that is a number", () => token({ sub: 7 })],
    ["a sub with a NUL", () => token({ sub: "dana\0" })],
    ["a sid that is a list", () => token({ sid: ["a"] })],
    ["another client's aud", () => token({ aud: "another-app" })],
    ["our aud and another", () => token({ aud: ["sallyport-cli", "another-app"] })],
    ["no aud", () => token({ aud: undefined })],
    ["an azp of another client", () => token({ azp: "another-app" })],
    ["an issuer that is not configured", () => token({ iss: "https://idp.evil.test" })],
    ["another IdP's name on it", () => token({ iss: other.issuer })],
    ["the right name, signed by another IdP", () => token({}, { by: other })],
    ["an iat of long ago", () => token({ iat: now() - 3600, exp: now() + 600 })],
    ["an iat in the future", () => token({ iat: now() + 3600, exp: now() + 7200 })],
    ["an nbf in the future", () => token({ nbf: now() + 3600 })],
    ["an exp that is over", () => token({ iat: now() - 200, exp: now() - 100 })],
    ["no iat", () => token({ iat: undefined })],
    ["no jti", () => token({ jti: undefined })],
    ["alg none", () => byHand({ alg: "none", typ: "logout+jwt" }, claims(), () => "")],
    [
      "HS256 with the public key",
      () => {
        const pem = plane.idp.signingKey.publicKey.export({ type: "spki", format: "pem" });
        return byHand({ alg: "HS256", kid: plane.idp.signingKey.kid }, claims(), (input) =>
          createHmac("sha256", pem).update(input).digest("base64url"),
        );
      },
    ],
    ["an algorithm that is not configured", () => token({}, { header: { alg: "PS256" } })],
    [
      "a stranger's key in its header",
      () =>
        new SignJWT(claims())
          .setProtectedHeader({
            alg: "RS256",
            jwk: strangerKey.publicKey.export({ format: "jwk" }),
          } as never)
          .sign(strangerKey.privateKey),
    ],
    [
      "crit",
      () => byHand({ alg: "RS256", crit: ["exp"], kid: plane.idp.signingKey.kid }, claims(), () => "AAAA"),
    ],
    [
      "a changed payload",
      async () => {
        const [head = "", , signature = ""] = (await token({ sub: "eve" })).split(".");
        return `${head}.${Buffer.from(JSON.stringify(claims())).toString("base64url")}.${signature}`;
      },
    ],
    [
      "a member twice",
      () => byHand({ alg: "RS256" }, `{"iss":"a",${JSON.stringify(claims()).slice(1)}`, () => "AAAA"),
    ],
    ["five parts, as an encrypted one has", async () => `${await token()}.AAAA.AAAA`],
    ["no token at all", () => ""],
    ["21,000 characters", async () => `${await token()}${"A".repeat(20_000)}`],
    ["a session of another subject", async () => token({ sub: "eve", sid: await sidOf("dana") })],
  ];

  for (const [what, make] of hostile) {
    it(`refuses ${what}: 400 by the specification, and nothing is revoked`, async () => {
      const before = await sequence();
      const answer = await deliver(plane.url, await make());
      assert.equal(answer.status, 400, answer.text);
      const body = JSON.parse(answer.text) as { error: string; error_description: string };
      assert.equal(body.error, "invalid_request");
      assert.match(body.error_description, /^[A-Z].*\.$/);
      assert.equal(answer.headers.get("cache-control"), "no-store");
      assert.equal(await sequence(), before);
      const event = await lastEvent();
      assert.equal(event?.type, "idp-notice-refused");
      assert.equal(JSON.parse(event.data_json).reason, body.error_description);
    });
  }

  const requests: [what: string, body: () => Promise<string>, type?: string][] = [
    ["JSON", async () => JSON.stringify({ logout_token: await token() }), "application/json"],
    ["two tokens", async () => `logout_token=${await token()}&logout_token=${await token()}`],
    ["a form without a token", async () => "token=x"],
    ["more than 64 KiB", async () => `logout_token=${await token()}&more=${"x".repeat(70_000)}`],
  ];
  for (const [what, body, type] of requests) {
    it(`refuses ${what}`, async () => {
      const before = await sequence();
      const answer = await post(plane.url, await body(), type);
      assert.equal(answer.status, 400);
      assert.equal(JSON.parse(answer.text).error, "invalid_request");
      assert.equal(await sequence(), before);
    });
  }

  it("answers for somebody unknown and for an unknown session as for anybody, and revokes nothing", async () => {
    const before = await sequence();
    for (const changes of [{ sub: "nobody" }, { sub: undefined, sid: "no-such-session" }]) {
      assert.equal((await deliver(plane.url, await token(changes))).status, 200);
      assert.equal((await lastEvent())?.type, "idp-notice");
    }
    // Another IdP speaks of its own people only, whatever they are called.
    const foreign = await token({ iss: other.issuer, sub: "dana" }, { by: other });
    assert.equal((await deliver(plane.url, foreign)).status, 200);
    const session = await token(
      { iss: other.issuer, sub: undefined, sid: await sidOf("dana") },
      { by: other },
    );
    assert.equal((await deliver(plane.url, session)).status, 200);
    assert.equal(await sequence(), before);
  });

  const accepted: [what: string, make: () => Promise<string>][] = [
    ["without typ", () => token({ sub: "eve" }, { header: { typ: undefined } })],
    ["with typ JWT, as Keycloak's", () => token({ sub: "eve", typ: "Logout" }, { header: { typ: "JWT" } })],
    [
      "with typ application/logout+jwt",
      () => token({ sub: "eve" }, { header: { typ: "application/Logout+JWT" } }),
    ],
    ["without exp, as Ory Hydra's", () => token({ sub: "eve", exp: undefined })],
    ["for another client that is listed", () => token({ sub: "eve", aud: ["portal"] })],
  ];
  for (const [what, make] of accepted) {
    it(`takes a token ${what}`, async () => {
      assert.equal((await deliver(plane.url, await make())).status, 200);
    });
  }

  it("narrows to the session where sub and sid are there, and counts sign-ins of no known session to it", async () => {
    const sid = await sidOf("dana");
    assert.equal((await deliver(plane.url, await token({ sid: "another-session" }))).status, 200);
    assert.ok((await listRevocations(db)).every(({ target }) => target !== keyOf(clientKey)));
    const body: Browser = new Map();
    const unnamed = await signIn(plane.url, plane.idp.issuer, "dana", body);
    await db.deleteFrom("sign_in_sessions").where("key_fingerprint", "=", keyOf(unnamed.key)).execute();
    assert.equal((await deliver(plane.url, await token({ sid: "a-third-session" }))).status, 200);
    const targets = async () => (await listRevocations(db)).map(({ level, target }) => `${level} ${target}`);
    assert.deepEqual(await targets(), [`key ${keyOf(unnamed.key)}`]);
    // A sid alone is enough, and only what is not revoked yet is.
    assert.equal((await deliver(plane.url, await token({ sub: undefined, sid }))).status, 200);
    assert.deepEqual(await targets(), [`key ${keyOf(unnamed.key)}`, `key ${keyOf(clientKey)}`]);
    assert.equal((await deliver(plane.url, await token({ sub: undefined, sid }))).status, 200);
    assert.equal((await targets()).length, 2);
  });

  it("takes a token once, also when it comes many times at once", async () => {
    const before = await sequence();
    const once = await token();
    const answers = await Promise.all(Array.from({ length: 8 }, () => deliver(plane.url, once)));
    assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, ...Array(7).fill(400)]);
    assert.equal(await sequence(), before + 1);
  });
});

describe("POST /backchannel-logout by anybody", () => {
  it("writes down a bounded number of refusals, and hears the IdP in the middle of a flood", async () => {
    const plane = await startTestControlPlane({
      config: { rateLimit: { failures: { perSecond: 0.001, burst: 5 } } },
    });
    const db = await plane.database();
    await signIn(plane.url, plane.idp.issuer, "dana");
    const answers: number[] = [];
    for (let i = 0; i < 20; i++) answers.push((await deliver(plane.url, `a.b.${i}`)).status);
    assert.deepEqual(answers, [...Array(5).fill(400), ...Array(15).fill(429)]);
    const refusals = (await listAuditEvents(db, 1000)).filter(({ type }) => type === "idp-notice-refused");
    assert.equal(refusals.length, 5);
    const at = Math.floor(Date.now() / 1000);
    const claims = {
      iss: plane.idp.issuer,
      aud: "sallyport-cli",
      sub: "dana",
      jti: "1",
      iat: at,
      exp: at + 120,
      events: { [EVENT]: {} },
    };
    const good = await new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", kid: plane.idp.signingKey.kid })
      .sign(plane.idp.signingKey.privateKey);
    assert.equal((await deliver(plane.url, good)).status, 200);
    await db.destroy();
    await plane.close();
  });
});
