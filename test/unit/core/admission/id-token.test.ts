import assert from "node:assert/strict";
import { verifyIdToken } from "@sallyport/core/admission/id-token.ts";
import type { RefusedError } from "@sallyport/core/policy/refusal.ts";
import {
  CLIENT,
  encode,
  HEADER,
  KEYS,
  makeContext,
  makeToken,
  NOW,
  rsa,
  stranger,
  TRUSTED,
  verdict,
} from "./identity-provider.ts";

describe("an ID token", () => {
  it("gives the claims that we use", async () => {
    const claims = {
      acr: "urn:strong",
      email: "a@acme.example",
      email_verified: "true",
      name: "Alice",
      extra: 1,
    };
    assert.deepEqual(await verifyIdToken(await makeToken(claims), makeContext()), {
      ...{ issuer: TRUSTED.issuer, subject: "alice", nonce: "n", issuedAt: NOW - 10, expiresAt: NOW + 300 },
      ...{ authTime: NOW - 60, mfa: "phishing-resistant", acr: "urn:strong", amr: ["pwd", "otp"] },
      ...{ acrs: [], lists: new Map([["amr", ["pwd", "otp"]]]), elsewhere: [] },
      ...{ email: "a@acme.example", emailVerified: true, name: "Alice" },
    });
  });

  it("needs no more than the claims that are required", async () => {
    const bare = { auth_time: undefined, nonce: undefined, amr: undefined };
    const token = await verifyIdToken(await makeToken(bare), makeContext());
    const { authTime, nonce, mfa, acr, amr, email, emailVerified, name } = token;
    assert.deepEqual(
      [authTime, nonce, mfa, acr, amr, email, emailVerified, name],
      [null, null, "none", null, [], null, false, null],
    );
  });

  const claimRows: [what: string, claims: Record<string, unknown>, code: string][] = [
    ["another issuer", { iss: "https://evil.example" }, "token-issuer"],
    ["another client's audience", { aud: "web-client" }, "token-audience"],
    ["the second client's audience", { aud: "sallyport-cli-2" }, "verified"],
    ["an audience of one in a list", { aud: [CLIENT] }, "verified"],
    ["no audience in a list", { aud: [] }, "token-malformed"],
    ["no audience", { aud: undefined }, "token-malformed"],
    ["azp ours", { azp: CLIENT }, "verified"],
    ["azp another client", { azp: "web-client" }, "token-audience"],
    ["no subject", { sub: undefined }, "token-malformed"],
    ["an empty subject", { sub: "" }, "token-malformed"],
    ["a subject of 256 characters", { sub: "x".repeat(256) }, "token-malformed"],
    ["no issuer", { iss: undefined }, "token-malformed"],
    ["an issuer that is a list", { iss: [TRUSTED.issuer] }, "token-malformed"],
    ["no expiry", { exp: undefined }, "token-malformed"],
    ["expiry as text", { exp: String(NOW + 300) }, "token-malformed"],
    ["no time of issue", { iat: undefined }, "token-malformed"],
    ["a nonce that is a number", { nonce: 1 }, "token-malformed"],
    ["amr that is text", { amr: "mfa" }, "verified"],
    ["amr that is a number", { amr: 1 }, "token-malformed"],
    ["expired within the skew", { exp: NOW - 59 }, "verified"],
    ["expired", { exp: NOW - 60 }, "token-expired"],
    ["issued in the skew's future", { iat: NOW + 60 }, "verified"],
    ["issued in the future", { iat: NOW + 61, exp: NOW + 999 }, "token-not-yet-valid"],
    ["not before a later time", { nbf: NOW + 61 }, "token-not-yet-valid"],
    ["not before a time in the skew", { nbf: NOW + 60 }, "verified"],
    ["signed in in the future", { auth_time: NOW + 61 }, "token-not-yet-valid"],
    ["as old as it may be, with skew", { iat: NOW - 3660 }, "verified"],
    ["too old though not expired", { iat: NOW - 3661 }, "token-too-old"],
    ["issued before the epoch", { iat: -1 }, "token-too-old"],
  ];
  for (const [what, claims, code] of claimRows) {
    it(`${what}: ${code}`, async () => assert.equal(await verdict(makeToken(claims)), code));
  }

  it("of an algorithm that this issuer may not use: token-algorithm", async () => {
    const context = makeContext({ issuers: [{ ...TRUSTED, algorithms: ["ES256"] }] });
    const token = makeToken({}, { alg: "RS256", kid: "rsa-1" }, rsa.privateKey);
    assert.equal(await verdict(token, context), "token-algorithm");
    assert.equal(await verdict(token), "verified");
  });

  it("of a key that is not cached: token-key-unknown, also when none ever was", async () => {
    assert.equal(await verdict(makeToken({}, { kid: "ec-2" })), "token-key-unknown");
    assert.equal(await verdict(makeToken(), makeContext({ keys: () => undefined })), "token-key-unknown");
    assert.equal(
      await verdict(makeToken(), makeContext({ keys: () => ({ keys: [] }) })),
      "token-key-unknown",
    );
  });

  it("signed by another key: token-signature", async () => {
    assert.equal(await verdict(makeToken({}, {}, stranger.privateKey)), "token-signature");
  });

  it("without a key id: verified where one key fits, token-key-unknown where several do", async () => {
    const token = makeToken({}, { kid: undefined });
    assert.equal(await verdict(token), "verified");
    const twice = { keys: [...KEYS.keys, { ...KEYS.keys[0], kid: "ec-2" }] } as typeof KEYS;
    assert.equal(await verdict(token, makeContext({ keys: () => twice })), "token-key-unknown");
  });

  const shapes: [what: string, token: string][] = [
    ["nothing", ""],
    ["one part", "abc"],
    ["two parts", `${encode(HEADER)}.${encode({})}`],
    ["a header that is no JSON", `${encode("x")}.${encode({})}.AA`],
    ["a header that is a list", `${encode([])}.${encode({})}.AA`],
    ["a header without an algorithm", `${encode({ kid: "ec-1" })}.${encode({})}.AA`],
    ["a payload that is no JSON", `${encode(HEADER)}.${encode("x")}.AA`],
    ["a payload that is null", `${encode(HEADER)}.${encode("null")}.AA`],
    ["padding", `${encode(HEADER)}=.${encode({})}.AA`],
    ["base64 instead of base64url", `${encode(HEADER)}.${encode({})}.A+/=`],
    ["a line end", `${encode(HEADER)}.${encode({})}.AA\n`],
  ];
  for (const [what, token] of shapes) {
    it(`${what}: token-malformed`, async () => assert.equal(await verdict(token), "token-malformed"));
  }

  it("is never repeated in the log's detail", async () => {
    for (const [, token] of shapes) {
      await assert.rejects(verifyIdToken(token, makeContext()), (error: RefusedError) => {
        assert.equal(error.refusal.told, null);
        return token.length < 4 || !error.refusal.detail.includes(token);
      });
    }
  });

  it("is checked in the order of OpenID Connect Core: each earlier refusal wins over each later one", async () => {
    const breaks: [code: string, claims: object, header: object, key?: typeof rsa.privateKey][] = [
      ["token-malformed", { sub: "" }, {}],
      ["token-issuer", { iss: "https://evil.example" }, {}],
      ["token-algorithm", {}, { alg: "ES384" }],
      ["token-key-unknown", {}, { kid: "ec-2" }],
      ["token-signature", {}, {}, stranger.privateKey],
      ["token-audience", { aud: "web-client" }, {}],
      ["token-expired", { exp: NOW - 60 }, {}],
      ["token-not-yet-valid", { nbf: NOW + 61 }, {}],
      ["token-too-old", { iat: NOW - 3661 }, {}],
    ];
    for (const [index, [code, claims, header, key]] of breaks.entries()) {
      for (const [later, laterClaims, laterHeader, laterKey] of breaks.slice(index)) {
        const good = await makeToken({ ...laterClaims, ...claims }, {}, key ?? laterKey);
        const token = good.replace(/^[^.]+/, encode({ ...HEADER, ...laterHeader, ...header }));
        assert.equal(await verdict(token), code, `against ${later}`);
      }
    }
  });
});
