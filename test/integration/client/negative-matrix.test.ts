import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { type Authorization, authorize } from "@sallyport/client/sign-in/authorize.ts";
import { CallbackListener } from "@sallyport/client/sign-in/callback-listener.ts";
import type { OfferedIssuer } from "@sallyport/client/sign-in/choose-issuer.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { ClientConfiguration } from "@sallyport/core/messages/client-api.ts";
import { decodeJwt, SignJWT } from "jose";
import { call, certificateRequest, challenge, makeClientKey } from "../control-plane/support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "../control-plane/support/control-plane.ts";
import {
  REDIRECT_URI,
  startIdentityProvider,
  type TestIdentityProvider,
} from "../control-plane/support/identity-provider.ts";
import { followRedirects, signInAtIdp } from "../control-plane/support/sign-in.ts";

/*
 * Every way we know in which a sign-in can be false, on a real oidc-provider. A false answer of the provider is shown to the
 * command line, and the same token to the control plane, as whoever writes a client of their own would.
 */

type Claims = Record<string, unknown>;
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const seconds = () => Math.floor(Date.now() / 1000);
const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

describe("the negative matrix of a sign-in", () => {
  let home: TestIdentityProvider;
  let vendor: TestIdentityProvider;
  let plane: TestControlPlane;
  let offered: OfferedIssuer[];

  before(async () => {
    home = await startIdentityProvider();
    vendor = await startIdentityProvider();
    plane = await startTestControlPlane({
      config: {
        issuers: [
          {
            ...{
              name: "Home",
              issuer: home.issuer,
              clientId: "sallyport-cli",
              requiredClaims: { tid: ["home"] },
            },
            ...{ mfa: { amr: { mfa: "mfa" } }, subjectClaim: "oid", emailVerifiedClaim: "xms_edov" },
            check: { required: false },
          },
          { name: "Vendor", issuer: vendor.issuer, clientId: "sallyport-cli", vendors: ["other-vendor"] },
        ],
      },
    });
    const answer = await call(plane.url, "GET", "/client-configuration");
    offered = ClientConfiguration.parse(answer.body).issuers;
    for (const idp of [home, vendor])
      for (const account of plane.idp.accounts.values()) idp.accounts.set(account.sub, account);
  });
  after(async () => {
    await plane.close();
    await home.close();
    await vendor.close();
  });
  afterEach(() => {
    home.rewrite = undefined;
  });

  /** What a good token of the home IdP says beyond what oidc-provider does. */
  const entra = { tid: "home", oid: "object-dana", xms_edov: true };
  const sign = (claims: Claims, options: { alg?: string; kid?: string; key?: typeof stranger } = {}) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: options.alg ?? "RS256", kid: options.kid ?? home.signingKey.kid })
      .sign(options.key ?? home.signingKey.privateKey);
  const signedByHand = (header: object, claims: Claims, signature: (input: string) => string) => {
    const input = `${encode(header)}.${encode(claims)}`;
    return `${input}.${signature(input)}`;
  };
  const begin = (nonce: string, index = 0): Promise<Authorization> =>
    authorize({
      issuer: offered[index] as OfferedIssuer,
      redirectUri: REDIRECT_URI,
      nonce,
      reauthenticate: false,
      email: "dana",
    });
  /** The code of the failure, or "passes". */
  const outcome = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => "passes",
      (error: unknown) => {
        assert.ok(isSallyportError(error), String(error));
        return error.code;
      },
    );
  const post = async (key: ReturnType<typeof makeClientKey>, idToken: string): Promise<string> => {
    const body = certificateRequest(key, idToken, await challenge(plane.url));
    const { status, code, message } = await call(plane.url, "POST", "/certificates", { body });
    if (status === 201) return "passes";
    return code === "token-invalid" ? (/^[a-z-]+/.exec(message)?.[0] ?? message) : (code ?? "");
  };

  interface Row {
    what: string;
    /** Changes the good token's claims. */
    claims?: Claims;
    sign?: (claims: Claims) => Promise<string> | string;
    /** What the command line makes of it, and the control plane. */
    client: string;
    plane: string;
  }
  const rows: Row[] = [
    { what: "nothing false", client: "passes", plane: "passes" },
    {
      what: "wrong issuer",
      claims: { iss: "https://evil.test" },
      client: "sign-in-failed",
      plane: "token-issuer",
    },
    {
      what: "another key's nonce",
      claims: { nonce: "bm90IG91cnM" },
      client: "sign-in-failed",
      plane: "nonce-mismatch",
    },
    { what: "no nonce", claims: { nonce: undefined }, client: "sign-in-failed", plane: "nonce-mismatch" },
    {
      what: "wrong audience",
      claims: { aud: "another-app" },
      client: "sign-in-failed",
      plane: "token-audience",
    },
    {
      what: "several audiences",
      claims: { aud: ["sallyport-cli", "another-app"], azp: "sallyport-cli" },
      ...{ client: "passes", plane: "token-audience" },
    },
    {
      what: "another authorized party",
      claims: { azp: "another-app" },
      ...{ client: "passes", plane: "token-audience" },
    },
    { what: "another tenant", claims: { tid: "else" }, client: "passes", plane: "token-tenant" },
    { what: "no tenant", claims: { tid: undefined }, client: "passes", plane: "token-tenant" },
    { what: "no object id", claims: { oid: undefined }, client: "passes", plane: "token-malformed" },
    {
      what: "expired",
      claims: { iat: seconds() - 900, exp: seconds() - 300 },
      ...{ client: "sign-in-failed", plane: "token-expired" },
    },
    {
      what: "issued in the future",
      claims: { iat: seconds() + 900, exp: seconds() + 1800 },
      ...{ client: "passes", plane: "token-not-yet-valid" },
    },
    {
      what: "not valid before the future",
      claims: { nbf: seconds() + 900 },
      ...{ client: "sign-in-failed", plane: "token-not-yet-valid" },
    },
    {
      what: "a sign-in of the day before yesterday",
      claims: { auth_time: seconds() - 172_800 },
      // Hosts refuse it where the engagement has a maxAge: mfa-too-old.
      ...{ client: "sign-in-failed", plane: "passes" },
    },
    {
      what: "no auth_time though max_age was sent",
      claims: { auth_time: undefined },
      ...{ client: "sign-in-failed", plane: "passes" },
    },
    {
      what: "alg none",
      sign: (claims) => signedByHand({ alg: "none" }, claims, () => ""),
      ...{ client: "sign-in-failed", plane: "token-algorithm" },
    },
    {
      what: "HS256 with the public key as the secret",
      sign: (claims) => {
        const secret = home.signingKey.publicKey.export({ format: "pem", type: "spki" });
        const mac = (input: string) => createHmac("sha256", secret).update(input).digest("base64url");
        return signedByHand({ alg: "HS256", kid: home.signingKey.kid }, claims, mac);
      },
      ...{ client: "sign-in-failed", plane: "token-algorithm" },
    },
    {
      what: "another key under the IdP's name",
      sign: (claims) => sign(claims, { key: stranger }),
      ...{ client: "sign-in-failed", plane: "token-signature" },
    },
    {
      what: "a key that the IdP never published",
      sign: (claims) => sign(claims, { key: stranger, kid: "mine" }),
      ...{ client: "sign-in-failed", plane: "token-key-unknown" },
    },
    {
      what: "another IdP's signature",
      sign: (claims) => sign(claims, { key: vendor.signingKey.privateKey }),
      ...{ client: "sign-in-failed", plane: "token-signature" },
    },
    {
      what: "an e-mail that nobody vouches for (nOAuth)",
      claims: { oid: "object-mallory", email: "eve@vendor.test", email_verified: true, xms_edov: undefined },
      ...{ client: "passes", plane: "not-invited" },
    },
    {
      what: "the e-mail of somebody who is known",
      claims: { oid: "object-mallory", sub: "dana" },
      ...{ client: "passes", plane: "not-invited" },
    },
  ];
  for (const row of rows) {
    it(`${row.what}: ${row.client} at the command line, ${row.plane} at the control plane`, async () => {
      const make = row.sign ?? ((claims: Claims) => sign(claims));
      const key = makeClientKey();
      const { at_hash: _, ...real } = decodeJwt(await signInAtIdp(home.issuer, "dana", key.nonce));
      const idToken = await make({ ...real, auth_time: seconds(), ...entra, ...row.claims });
      home.rewrite = (path, body) => (path === "/token" ? { ...body, id_token: idToken } : body);
      const authorization = await begin(key.nonce);
      const callback = await followRedirects(new URL(authorization.address));
      assert.equal(await outcome(authorization.finish(callback)), row.client);
      assert.equal(await post(key, idToken), row.plane);
    });
  }

  it("an ID token used before: token-replayed, whoever holds the key", async () => {
    const key = makeClientKey();
    const { at_hash: _, ...real } = decodeJwt(await signInAtIdp(home.issuer, "dana", key.nonce));
    const idToken = await sign({ ...real, ...entra });
    assert.equal(await post(key, idToken), "passes");
    assert.equal(await post(key, idToken), "token-replayed");
  });

  it("another client's token, got honestly: token-audience", async () => {
    const key = makeClientKey();
    assert.equal(
      await post(key, await signInAtIdp(home.issuer, "dana", key.nonce, "another-app")),
      "token-audience",
    );
  });

  it("a vendor's IdP that states a member's e-mail of another vendor, or staff's (nOAuth): not-invited", async () => {
    for (const sub of ["dana", "sam"]) {
      const key = makeClientKey();
      assert.equal(await post(key, await signInAtIdp(vendor.issuer, sub, key.nonce)), "not-invited");
    }
  });

  const changed = (callback: URL, changes: Record<string, string | null>): URL => {
    const url = new URL(callback);
    for (const [name, value] of Object.entries(changes))
      value === null ? url.searchParams.delete(name) : url.searchParams.set(name, value);
    return url;
  };
  const flows: [what: string, run: () => Promise<unknown>][] = [
    [
      "wrong state",
      async () => {
        const authorization = await begin("n".repeat(43));
        const callback = await followRedirects(new URL(authorization.address));
        return authorization.finish(changed(callback, { state: "another" }));
      },
    ],
    [
      "no state",
      async () => {
        const authorization = await begin("n".repeat(43));
        const callback = await followRedirects(new URL(authorization.address));
        return authorization.finish(changed(callback, { state: null }));
      },
    ],
    [
      "the state of an earlier sign-in, with its code",
      async () => {
        const [earlier, later] = [await begin("n".repeat(43)), await begin("n".repeat(43))];
        return later.finish(await followRedirects(new URL(earlier.address)));
      },
    ],
    [
      "a replayed answer: the code is used up",
      async () => {
        const key = makeClientKey();
        const authorization = await begin(key.nonce);
        const callback = await followRedirects(new URL(authorization.address));
        assert.equal(await outcome(authorization.finish(callback)), "passes");
        return authorization.finish(callback);
      },
    ],
    [
      "somebody else's code put into my answer: PKCE",
      async () => {
        const [mine, theirs] = [await begin("n".repeat(43)), await begin("n".repeat(43))];
        const injected = await followRedirects(new URL(theirs.address));
        const callback = await followRedirects(new URL(mine.address));
        return mine.finish(changed(callback, { code: injected.searchParams.get("code") }));
      },
    ],
    [
      "PKCE taken out of the request",
      async () => {
        const authorization = await begin("n".repeat(43));
        const address = changed(new URL(authorization.address), {
          code_challenge: null,
          code_challenge_method: null,
        });
        return authorization.finish(await followRedirects(address));
      },
    ],
    [
      "PKCE made plain",
      async () => {
        const authorization = await begin("n".repeat(43));
        const address = changed(new URL(authorization.address), { code_challenge_method: "plain" });
        return authorization.finish(await followRedirects(address));
      },
    ],
    [
      "mix-up: the answer names another IdP (RFC 9207)",
      async () => {
        const authorization = await begin("n".repeat(43));
        const callback = await followRedirects(new URL(authorization.address));
        return authorization.finish(changed(callback, { iss: vendor.issuer }));
      },
    ],
    [
      "mix-up: the answer names no IdP, though this one does",
      async () => {
        const authorization = await begin("n".repeat(43));
        const callback = await followRedirects(new URL(authorization.address));
        return authorization.finish(changed(callback, { iss: null }));
      },
    ],
    [
      "mix-up: begun at one IdP, answered by the other, state and all",
      async () => {
        const [atHome, atVendor] = [await begin("n".repeat(43)), await begin("n".repeat(43), 1)];
        const callback = await followRedirects(new URL(atVendor.address));
        return atHome.finish(changed(callback, { state: atHome.state }));
      },
    ],
    [
      "an error in place of a code",
      async () => {
        const authorization = await begin("n".repeat(43));
        const { state } = authorization;
        const error = { error: "access_denied", state, iss: home.issuer };
        return authorization.finish(changed(new URL(REDIRECT_URI), error));
      },
    ],
    [
      "no ID token",
      async () => {
        home.rewrite = (path, body) => (path === "/token" ? { ...body, id_token: undefined } : body);
        const authorization = await begin("n".repeat(43));
        return authorization.finish(await followRedirects(new URL(authorization.address)));
      },
    ],
  ];
  for (const [what, run] of flows) {
    it(`${what}: sign-in-failed`, async () => assert.equal(await outcome(run()), "sign-in-failed"));
  }

  it("a discovery document of another issuer: issuer-unreachable", async () => {
    home.rewrite = (path, body) =>
      path.startsWith("/.well-known/") ? { ...body, issuer: vendor.issuer } : body;
    assert.equal(await outcome(begin("n".repeat(43))), "issuer-unreachable");
  });

  it("a request of ours that a control plane gone bad adds to: what the safety hangs on stays ours", async () => {
    const hints = {
      ...{ nonce: "theirs", state: "theirs", code_challenge: "theirs", code_challenge_method: "plain" },
      ...{ request: "a.b.c", request_uri: "https://evil.test", response_mode: "form_post" },
      ...{
        redirect_uri: "https://evil.test",
        client_id: "another-app",
        response_type: "token",
        prompt: "login",
      },
    };
    const [issuer] = offered;
    const { address, state } = await authorize({
      ...{ issuer: { ...(issuer as OfferedIssuer), hints } },
      ...{ redirectUri: REDIRECT_URI, nonce: "ours", reauthenticate: false },
    });
    const sent = Object.fromEntries(new URL(address).searchParams);
    assert.deepEqual(
      [
        sent.nonce,
        sent.state,
        sent.code_challenge_method,
        sent.redirect_uri,
        sent.client_id,
        sent.response_type,
      ],
      ["ours", state, "S256", REDIRECT_URI, "sallyport-cli", "code"],
    );
    assert.equal(sent.prompt, "login");
    for (const name of ["request", "request_uri", "response_mode"]) assert.equal(sent[name], undefined);
  });

  it("a second answer for the same state finds nobody who listens", async () => {
    const listener = await CallbackListener.open();
    const address = `${listener.redirectUri}?state=s&code=c`;
    const waiting = listener.wait("s", 10_000);
    const shown = fetch(address);
    const callback = await waiting;
    await callback.answer(true, "Done", "Done.");
    assert.equal((await shown).status, 200);
    listener.close();
    await assert.rejects(fetch(address));
  });
});
