import assert from "node:assert/strict";
import { createHash, createPublicKey, randomBytes, verify } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type DemoUser,
  type IdentityProvider,
  startIdentityProvider,
} from "../../../demo/identity-provider.ts";
import { type SignInInput, signInByForm } from "../../../demo/sign-in-by-form.ts";

const ALICE: DemoUser = {
  name: "alice",
  password: "wonder land & co",
  email: "alice@vendor.test",
  mfa: true,
  sub: "u-7f3a91",
};
const BOB: DemoUser = {
  name: "bob",
  password: "builder",
  email: "bob@vendor.test",
  emailVerified: false,
  mfa: false,
  sub: "u-02bc44",
};

type TokenResponse = { id_token: string; access_token: string; refresh_token: string; error?: string };

describe("the demo's identity provider", () => {
  let idp: IdentityProvider;
  let client: Server;
  let redirectUri: string;
  let answers: URLSearchParams[];

  before(async () => {
    idp = await startIdentityProvider({ port: 0, users: [ALICE, BOB] });
    client = createServer((req, res) => {
      answers.push(new URL(req.url ?? "/", redirectUri).searchParams);
      res.end("You can close this window.");
    });
    await new Promise<void>((resolve) => client.listen(0, "127.0.0.1", resolve));
    redirectUri = `http://127.0.0.1:${(client.address() as AddressInfo).port}/callback`;
  });
  beforeEach(() => {
    answers = [];
  });
  after(async () => {
    await idp.close();
    await new Promise((resolve) => client.close(resolve));
  });

  const verifier = randomBytes(32).toString("base64url");

  /** Drives one authorization code flow with PKCE up to the client's redirect. */
  async function authorize(input: SignInInput, extra: Record<string, string> = {}) {
    const url = new URL("/auth", idp.issuer);
    url.search = new URLSearchParams({
      client_id: "sallyport-cli",
      response_type: "code",
      scope: "openid profile email",
      redirect_uri: redirectUri,
      state: "st",
      nonce: "the-nonce",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      ...extra,
    }).toString();
    return signInByForm(url.href, input);
  }

  async function token(parameters: Record<string, string>): Promise<TokenResponse> {
    const response = await fetch(new URL("/token", idp.issuer), {
      method: "POST",
      body: new URLSearchParams({ client_id: "sallyport-cli", ...parameters }),
    });
    return (await response.json()) as TokenResponse;
  }

  async function redeem(): Promise<TokenResponse> {
    return token({
      grant_type: "authorization_code",
      code: answers.at(-1)?.get("code") ?? "",
      redirect_uri: redirectUri,
      code_verifier: verifier,
    });
  }

  async function verifiedClaims(idToken: string): Promise<Record<string, unknown>> {
    const [header = "", payload = "", signature = ""] = idToken.split(".");
    const { kid, alg } = JSON.parse(Buffer.from(header, "base64url").toString());
    assert.equal(alg, "RS256");
    const jwks = (await (await fetch(new URL("/jwks", idp.issuer))).json()) as {
      keys: { kid: string; kty: string }[];
    };
    const jwk = jwks.keys.find((key) => key.kid === kid);
    assert.ok(jwk, "the signing key is published");
    const key = createPublicKey({ key: jwk, format: "jwk" });
    assert.ok(
      verify("sha256", Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url")),
    );
    return JSON.parse(Buffer.from(payload, "base64url").toString());
  }

  it("signs a user with MFA in and puts identity and MFA evidence into the ID token", async () => {
    const outcome = await authorize({ username: "alice", password: ALICE.password, code: "123456" });
    assert.equal(outcome.status, 200);
    assert.match(outcome.body, /close this window/);
    assert.ok(outcome.finalUrl.startsWith(redirectUri));
    assert.equal(answers[0]?.get("state"), "st");

    const claims = await verifiedClaims((await redeem()).id_token);
    const { iat, exp, auth_time, sid: _sid, at_hash: _hash, ...rest } = claims;
    assert.deepEqual(rest, {
      iss: idp.issuer,
      aud: "sallyport-cli",
      sub: "u-7f3a91",
      name: "alice",
      email: "alice@vendor.test",
      email_verified: true,
      nonce: "the-nonce",
      acr: "urn:sallyport:demo:mfa",
      amr: ["pwd", "otp", "mfa"],
    });
    assert.equal(Number(exp) - Number(iat), 3600);
    assert.ok(Math.abs(Number(auth_time) - Date.now() / 1000) < 60);
  });

  it("signs a user without MFA in with the password alone", async () => {
    await authorize({ username: "bob", password: "builder" });
    const claims = await verifiedClaims((await redeem()).id_token);
    assert.deepEqual(claims.amr, ["pwd"]);
    assert.equal(claims.email_verified, false);
    assert.equal(typeof claims.auth_time, "number");
  });

  it("asks for the code, and refuses a wrong one", async () => {
    const asked = await authorize({ username: "alice", password: ALICE.password });
    assert.match(asked.body, /demo code: 123456/);
    const wrong = await authorize({ username: "alice", password: ALICE.password, code: "654321" });
    assert.equal(wrong.status, 400);
    assert.match(wrong.body, /The code is wrong/);
    assert.equal(answers.length, 0);
  });

  it("does not say whether the name or the password was wrong", async () => {
    const wrongPassword = await authorize({ username: "alice", password: "x" });
    const wrongName = await authorize({ username: "nobody", password: "x" });
    const emptyBoth = await authorize({ username: "nobody", password: "" });
    for (const outcome of [wrongPassword, wrongName, emptyBoth]) {
      assert.equal(outcome.status, 400);
      assert.match(outcome.body, /User name or password is wrong/);
      assert.match(outcome.body, /name="password"/);
    }
  });

  it("gives access_denied when the user cancels", async () => {
    await authorize({ username: "alice", password: "x", cancel: true });
    assert.equal(answers[0]?.get("error"), "access_denied");
    assert.equal(answers[0]?.get("state"), "st");
  });

  it("lets a disabled account neither sign in nor refresh, until it is enabled again", async () => {
    await authorize({ username: "bob", password: "builder" });
    const { refresh_token } = await redeem();
    idp.disableUser(BOB.sub);
    const refused = await authorize({ username: "bob", password: "builder" });
    assert.match(refused.body, /This account is disabled/);
    const refreshed = await token({ grant_type: "refresh_token", refresh_token });
    assert.equal(refreshed.error, "invalid_grant");
    idp.enableUser(BOB.sub);
    await authorize({ username: "bob", password: "builder" });
    assert.ok((await redeem()).id_token);
  });

  it("renews an ID token with a refresh token", async () => {
    await authorize({ username: "alice", password: ALICE.password, code: "123456" });
    const { refresh_token } = await redeem();
    const renewed = await token({ grant_type: "refresh_token", refresh_token });
    assert.equal((await verifiedClaims(renewed.id_token)).sub, ALICE.sub);
  });

  it("insists on PKCE and on a loopback redirect", async () => {
    const noPkce = await authorize({ username: "bob", password: "builder" }, { code_challenge: "" });
    assert.equal(new URL(noPkce.finalUrl).searchParams.get("error"), "invalid_request");
    const elsewhere = await authorize(
      { username: "bob", password: "builder" },
      { redirect_uri: "http://example.test/callback" },
    );
    assert.equal(elsewhere.status, 400);
    assert.match(elsewhere.body, /This sign-in cannot go on/);
  });

  it("signs in the same browser's second user without asking about the first", async () => {
    // One jar for both would need a browser; the cookie that would carry the first session is ignored at /auth.
    const response = await fetch(
      new URL(
        `/auth?client_id=sallyport-cli&response_type=code&scope=openid&redirect_uri=${redirectUri}&code_challenge=${"a".repeat(43)}&code_challenge_method=S256`,
        idp.issuer,
      ),
      { redirect: "manual", headers: { cookie: "_session=whatever; _session.sig=x" } },
    );
    assert.match(response.headers.get("location") ?? "", /^\/interaction\//);
    await response.arrayBuffer();
  });

  it("answers an interaction that is not this browser's with a page, not a stack", async () => {
    const response = await fetch(new URL("/interaction/unknown", idp.issuer));
    assert.equal(response.status, 400);
    assert.match(await response.text(), /This sign-in has ended/);
  });

  it("signs arbitrary claims with its published key for tests", async () => {
    const claims = { sub: "u-1", exp: 1 };
    assert.deepEqual(await verifiedClaims(idp.signIdToken(claims)), claims);
  });
});
