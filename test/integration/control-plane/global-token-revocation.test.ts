import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { identityTarget } from "@sallyport/core/policy/revocation.ts";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol } from "./support/host.ts";
import { startIdentityProvider, type TestIdentityProvider } from "./support/identity-provider.ts";

const TYPE = "global-token-revocation+jwt";
const ORG = "https://org.okta.test";

describe("POST /global-token-revocation", () => {
  let plane: TestControlPlane;
  let other: TestIdentityProvider;
  let silent: TestIdentityProvider;
  let db: Database;
  let org: Server;
  let orgKey: Parameters<SignJWT["sign"]>[0];
  before(async () => {
    const pair = await generateKeyPair("RS256");
    orgKey = pair.privateKey;
    const jwks = JSON.stringify({
      keys: [{ ...(await exportJWK(pair.publicKey)), kid: "org", alg: "RS256" }],
    });
    org = createServer((_request, response) => void response.end(jwks));
    await new Promise<void>((resolve) => org.listen(0, "127.0.0.1", resolve));
    const jwksUri = `http://127.0.0.1:${(org.address() as AddressInfo).port}/keys`;
    other = await startIdentityProvider();
    silent = await startIdentityProvider();
    plane = await startTestControlPlane({
      issuer: { globalTokenRevocation: { subject: "the-app" } },
      moreIssuers: [
        {
          ...{ name: "Other IdP", issuer: other.issuer, clientId: "sallyport-cli" },
          globalTokenRevocation: { issuer: ORG, jwksUri, audience: "https://public.test/revoke" },
        },
        { name: "Silent IdP", issuer: silent.issuer, clientId: "sallyport-cli" },
      ],
      config: { rateLimit: { failures: { perSecond: 1, burst: 1000 } } },
    });
    db = await plane.database();
    await signIn(plane.url, plane.idp.issuer, "dana");
    await signIn(plane.url, plane.idp.issuer, "sam");
  });
  after(async () => {
    await db.destroy();
    await plane.close();
    await other.close();
    await silent.close();
    await new Promise((resolve) => org.close(resolve));
  });

  const now = () => Math.floor(Date.now() / 1000);
  const assertion = (
    changes: object = {},
    { header = {}, by = plane.idp }: { header?: object; by?: TestIdentityProvider } = {},
  ) =>
    new SignJWT({
      ...{ iss: plane.idp.issuer, sub: "the-app", aud: `${plane.url}/global-token-revocation` },
      ...{ jti: randomUUID(), iat: now(), nbf: now() - 300, exp: now() + 300, ...changes },
    })
      .setProtectedHeader({ alg: "RS256", typ: TYPE, kid: by.signingKey.kid, ...header })
      .sign(by.signingKey.privateKey);
  const ofOrg = (changes: object = {}) =>
    new SignJWT({
      ...{ iss: ORG, aud: "https://public.test/revoke", jti: randomUUID(), iat: now(), exp: now() + 300 },
      ...changes,
    })
      .setProtectedHeader({ alg: "RS256", typ: TYPE, kid: "org" })
      .sign(orgKey);
  const post = async (
    token: string | undefined,
    body: unknown = { sub_id: issSub("dana") },
    type = "application/json",
  ) => {
    const headers = {
      "content-type": type,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const init = { method: "POST", headers, body: text };
    const response = await fetch(`${plane.url}/global-token-revocation`, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const issSub = (sub: string, iss = plane.idp.issuer) => ({ format: "iss_sub", iss, sub });
  const entries = () => listRevocations(db);

  const unauthorized: [what: string, make: () => Promise<string | undefined>][] = [
    ["no token", async () => undefined],
    ["something else", async () => "not-a-jwt"],
    ["an ID token's typ", () => assertion({}, { header: { typ: "JWT" } })],
    ["a logout token's typ", () => assertion({}, { header: { typ: "logout+jwt" } })],
    ["no typ", () => assertion({}, { header: { typ: undefined } })],
    ["an unknown issuer", () => assertion({ iss: "https://idp.evil.test" })],
    ["an issuer that may not", () => assertion({ iss: silent.issuer }, { by: silent })],
    ["an issuer whose requests come from another", () => assertion({ iss: other.issuer }, { by: other })],
    ["another IdP's signature", () => assertion({}, { by: other })],
    ["the client id as aud", () => assertion({ aud: "sallyport-cli" })],
    ["another path as aud", () => assertion({ aud: `${plane.url}/backchannel-logout` })],
    ["our aud and another", () => assertion({ aud: [`${plane.url}/global-token-revocation`, "x"] })],
    ["an exp that is over", () => assertion({ iat: now() - 200, exp: now() - 100 })],
    ["no exp", () => assertion({ exp: undefined })],
    ["an old iat", () => assertion({ iat: now() - 3600 })],
    ["an iat in the future", () => assertion({ iat: now() + 3600, exp: now() + 4000 })],
    ["an nbf in the future", () => assertion({ nbf: now() + 3600 })],
    ["no jti", () => assertion({ jti: undefined })],
    ["no iat", () => assertion({ iat: undefined })],
    [
      "alg none",
      async () =>
        (await assertion()).replace(
          /^[^.]+/,
          Buffer.from(JSON.stringify({ alg: "none", typ: TYPE })).toString("base64url"),
        ),
    ],
  ];
  for (const [what, make] of unauthorized) {
    it(`refuses ${what}: 401, and nothing is revoked`, async () => {
      const before = (await entries()).length;
      const answer = await post(await make());
      assert.equal(answer.status, 401, answer.text);
      assert.equal(answer.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
      assert.equal((await entries()).length, before);
      assert.equal((await listAuditEvents(db, 1))[0]?.type, "idp-notice-refused");
    });
  }

  const bad: [what: string, status: number, body: unknown, type?: string][] = [
    ["no body", 400, ""],
    ["no subject", 400, {}],
    ["two subjects", 400, { sub_id: issSubOf("dana"), subject: issSubOf("eve") }],
    [
      "a member twice",
      400,
      '{"sub_id":{"format":"opaque","id":"dana"},"sub_id":{"format":"opaque","id":"eve"}}',
    ],
    ["a format that names no account", 400, { sub_id: { format: "phone_number", phone_number: "+1206555" } }],
    ["aliases", 400, { sub_id: { format: "aliases", identifiers: [{ format: "opaque", id: "dana" }] } }],
    ["a member too many", 400, { sub_id: { format: "opaque", id: "dana", sub: "dana" } }],
    ["an id with a NUL", 400, { sub_id: { format: "opaque", id: "dana\0" } }],
    ["a form", 415, "sub=dana", "application/x-www-form-urlencoded"],
    ["more than 64 KiB", 400, { sub_id: issSubOf("dana"), more: "x".repeat(70_000) }],
    ["somebody of another IdP", 403, { sub_id: issSubOf("dana", "https://idp.evil.test") }],
    ["somebody unknown", 404, { sub_id: { format: "opaque", id: "nobody" } }],
    ["an e-mail of nobody", 404, { sub_id: { format: "email", email: "nobody@vendor.test" } }],
    [
      "an e-mail of somebody invited who has not signed in",
      404,
      { sub_id: { format: "email", email: "eve@vendor.test" } },
    ],
  ];
  function issSubOf(sub: string, iss?: string) {
    return { format: "iss_sub", sub, iss: iss ?? "https://test-idp" };
  }
  for (const [what, status, body, type] of bad) {
    it(`answers ${status} to ${what}, and revokes nothing`, async () => {
      const before = (await entries()).length;
      const answer = await post(await assertion(), body, type);
      assert.equal(answer.status, status, answer.text);
      assert.equal((await entries()).length, before);
    });
  }

  it("answers 403 to another application of the same IdP", async () => {
    const before = (await entries()).length;
    assert.equal((await post(await assertion({ sub: "another-app" }))).status, 403);
    assert.equal((await entries()).length, before);
  });

  it("does not let one IdP speak of another's people, by e-mail or otherwise", async () => {
    const before = (await entries()).length;
    for (const sub_id of [
      { format: "email", email: "dana@vendor.test" },
      { format: "opaque", id: "dana" },
      issSub("dana", other.issuer),
      issSub("dana", ORG),
    ])
      assert.equal((await post(await ofOrg(), { sub_id })).status, 404);
    assert.equal((await post(await ofOrg(), { sub_id: issSub("dana") })).status, 403);
    assert.equal((await entries()).length, before);
  });

  const good: [what: string, body: () => object][] = [
    ["iss_sub", () => ({ sub_id: issSub("dana") })],
    ["opaque", () => ({ sub_id: { format: "opaque", id: "dana" } })],
    ["email, in any case", () => ({ sub_id: { format: "email", email: "Dana@Vendor.test" } })],
    ["subject, as Okta wrote it before", () => ({ subject: issSub("dana") })],
  ];
  for (const [what, body] of good) {
    it(`ends the sign-ins that ${what} names, and lets them sign in again`, async () => {
      const host = await enrol(plane.url, await plane.joinToken(`web-${randomUUID().slice(0, 8)}`));
      const link = await connect(plane.url, host);
      const before = (await entries()).length;
      const answer = await post(await assertion(), body());
      assert.equal(answer.status, 204, answer.text);
      assert.equal(answer.text, "");
      const entry = (await entries()).at(-1);
      assert.equal((await entries()).length, before + 1);
      assert.deepEqual([entry?.level, entry?.target], ["identity", identityTarget(plane.idp.issuer, "dana")]);
      assert.ok(entry !== undefined && entry.before !== null && entry.before > entry.at);
      assert.equal((await link.next("revocation")).entry.id, entry.id);
      await link.close();
    });
  }

  it("knows staff by their e-mail", async () => {
    const body = { sub_id: { format: "email", email: "sec@acme.test" } };
    assert.equal((await post(await assertion(), body)).status, 204);
    assert.equal((await entries()).at(-1)?.target, identityTarget(plane.idp.issuer, "sam"));
  });

  it("takes a request once, also for somebody unknown", async () => {
    const once = await assertion();
    const before = (await entries()).length;
    const answers = await Promise.all(Array.from({ length: 6 }, () => post(once)));
    assert.deepEqual(answers.map(({ status }) => status).toSorted(), [204, 401, 401, 401, 401, 401]);
    const unknown = await assertion();
    assert.equal((await post(unknown, { sub_id: issSub("nobody") })).status, 404);
    for (const token of [once, unknown]) assert.equal((await post(token)).status, 401);
    assert.equal((await entries()).length, before + 1);
  });
});

it("is not there where no IdP may ask for it", async () => {
  const plane = await startTestControlPlane();
  const answer = await call(plane.url, "POST", "/global-token-revocation", { base: "", body: {} });
  assert.equal(answer.status, 404);
  await plane.close();
});
