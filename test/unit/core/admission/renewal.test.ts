import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import {
  BINDING_EXTENSION,
  FRESH_ID_TOKEN_EXTENSION,
  ID_TOKEN_EXTENSION,
} from "@sallyport/core/admission/certificate-extensions.ts";
import { type ProvenIdentity, verifyIdentity } from "@sallyport/core/admission/verify-identity.ts";
import { bindingNonce, makeBinding } from "@sallyport/core/binding.ts";
import { TrustedIssuer } from "@sallyport/core/messages/trust.ts";
import { sshKeyToJwk } from "@sallyport/core/ssh/jwk.ts";
import { publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { CLAIMS, codeOf, ec, encode, makeToken, NOW, rsa, stranger, TRUSTED } from "./identity-provider.ts";
import { identityContext, makeCertificate, userKey } from "./login-certificate.ts";

const HOUR = 3600;
const SIGNED_IN = NOW - 5 * HOUR;
const binding = makeBinding(sshKeyToJwk(userKey), new Uint8Array(32).fill(1));
const otherKey = publicKeyFromKeyObject(generateKeyPairSync("ed25519").privateKey);
const otherBinding = makeBinding(sshKeyToJwk(otherKey), new Uint8Array(32).fill(2));

/** The sign-in of five hours ago, whose token lived for an hour. */
const ORIGINAL = {
  iat: SIGNED_IN,
  auth_time: SIGNED_IN - 60,
  exp: SIGNED_IN + HOUR,
  nonce: bindingNonce(binding),
};
/** What a refresh a minute ago brought. */
const FRESH = { iat: NOW - 60, auth_time: SIGNED_IN - 60, exp: NOW + HOUR, nonce: undefined };

const SECOND_ISSUER = "https://idp.example/tenant-b";
const RENEWABLE = TrustedIssuer.parse({ ...TRUSTED, maxSignInAge: 12 * HOUR });
const context = identityContext({
  issuers: [RENEWABLE, { ...RENEWABLE, issuer: SECOND_ISSUER }],
  keys: () => identityContext().keys(TRUSTED.issuer),
});

type Claims = Record<string, unknown>;
interface Changes {
  original?: Claims;
  fresh?: Claims;
  originalText?: string;
  freshText?: string;
  binding?: typeof binding;
}

/** A certificate of the CA for the user's key, with two tokens. */
async function certificate(changes: Changes = {}): Promise<Uint8Array> {
  const original = changes.originalText ?? (await makeToken({ ...ORIGINAL, ...changes.original }));
  const fresh = changes.freshText ?? (await makeToken({ ...FRESH, ...changes.fresh }));
  const extensions = new Map<string, Uint8Array>([
    ["permit-pty", new Uint8Array()],
    [BINDING_EXTENSION, Buffer.from(JSON.stringify(changes.binding ?? binding))],
    [ID_TOKEN_EXTENSION, Buffer.from(original)],
    [FRESH_ID_TOKEN_EXTENSION, Buffer.from(fresh)],
  ]);
  return makeCertificate({ content: { extensions } });
}

async function verified(changes: Changes = {}): Promise<ProvenIdentity> {
  return verifyIdentity(await certificate(changes), context);
}

describe("a renewed certificate", () => {
  it("proves the person of the sign-in, whose ID token may have expired", async () => {
    const { token, assurance } = await verified();
    assert.deepEqual([token.subject, assurance], [CLAIMS.sub, "bound"]);
    assert.equal(token.issuedAt, SIGNED_IN);
  });

  it("keeps the sign-in's auth_time: a refresh is no new authentication", async () => {
    assert.equal((await verified()).token.authTime, SIGNED_IN - 60);
    assert.equal((await verified({ original: { auth_time: undefined } })).token.authTime, null);
    assert.equal((await verified({ fresh: { auth_time: undefined } })).token.authTime, SIGNED_IN - 60);
  });

  const levels: [what: string, original: Claims, fresh: Claims, level: string][] = [
    ["the fresh token's, where it is lower", { amr: ["hwk"] }, { amr: ["otp"] }, "mfa"],
    ["the sign-in's, where it is lower", { amr: ["otp"] }, { amr: ["hwk"] }, "mfa"],
    ["none, where the fresh token tells of a password only", { amr: ["hwk"] }, { amr: ["pwd"] }, "none"],
    [
      "none, where the sign-in was by password",
      { amr: ["pwd"] },
      { amr: ["hwk"], acr: "urn:strong" },
      "none",
    ],
    ["the sign-in's, where the fresh token says nothing of it", { amr: ["otp"] }, { amr: undefined }, "mfa"],
  ];
  for (const [what, original, fresh, level] of levels) {
    it(`has the MFA level of ${what}`, async () => {
      assert.equal((await verified({ original, fresh })).token.mfa, level);
    });
  }

  it("may have a fresh token that repeats the sign-in's nonce", async () => {
    assert.equal(await codeOf(verified({ fresh: { nonce: bindingNonce(binding) } })), "verified");
  });

  const attacks: [what: string, changes: Changes, code: string][] = [
    ["a fresh token of another person", { fresh: { sub: "mallory" } }, "renewal-mismatch"],
    ["a fresh token of another issuer", { fresh: { iss: SECOND_ISSUER } }, "renewal-mismatch"],
    [
      "a fresh token of an issuer that is not pinned",
      { fresh: { iss: "https://evil.example" } },
      "token-issuer",
    ],
    ["a fresh token of another client of ours", { fresh: { aud: "sallyport-cli-2" } }, "renewal-mismatch"],
    [
      "a fresh token for one client more",
      { fresh: { aud: ["sallyport-cli", "sallyport-cli-2"] } },
      "renewal-mismatch",
    ],
    ["a fresh token of a web client", { fresh: { aud: "web" } }, "token-audience"],
    [
      "a fresh token of another authorized party",
      { original: { azp: "sallyport-cli" }, fresh: { azp: "sallyport-cli-2" } },
      "renewal-mismatch",
    ],
    [
      "a fresh token that is the same person's sign-in with another key",
      { fresh: { nonce: bindingNonce(otherBinding) } },
      "renewal-mismatch",
    ],
    ["a fresh token of a later authentication", { fresh: { auth_time: NOW - 60 } }, "renewal-mismatch"],
    [
      "a fresh token older than the sign-in",
      { original: { exp: NOW + HOUR, iat: NOW - 30 }, fresh: { iat: NOW - 31 } },
      "renewal-mismatch",
    ],
    ["a fresh token that has expired", { fresh: { exp: NOW - 60 } }, "token-expired"],
    ["a fresh token older than maxTokenAge", { fresh: { iat: NOW - HOUR - 61 } }, "token-too-old"],
    ["a fresh token from the future", { fresh: { iat: NOW + 61 } }, "token-not-yet-valid"],
    ["no fresh token in the extension for it", { freshText: "" }, "token-malformed"],
    [
      "a stolen sign-in of another key, with a fresh token",
      { original: { nonce: bindingNonce(otherBinding) } },
      "nonce-mismatch",
    ],
    [
      "a stolen sign-in and its binding of another key, with a fresh token",
      { original: { nonce: bindingNonce(otherBinding) }, binding: otherBinding },
      "binding-key-mismatch",
    ],
    ["a sign-in that commits to no key", { original: { nonce: undefined } }, "nonce-mismatch"],
    [
      "a sign-in of longer ago than is accepted",
      { original: { iat: NOW - 12 * HOUR - 61, auth_time: undefined }, fresh: { auth_time: undefined } },
      "sign-in-too-old",
    ],
    [
      "an authentication of longer ago than is accepted, whenever the token was made",
      { original: { auth_time: NOW - 12 * HOUR - 61 }, fresh: { auth_time: NOW - 12 * HOUR - 61 } },
      "sign-in-too-old",
    ],
    ["a sign-in of the future", { original: { iat: NOW + 61 } }, "token-not-yet-valid"],
    ["a sign-in of another client", { original: { aud: "web" } }, "token-audience"],
    ["a sign-in of another issuer", { original: { iss: "https://evil.example" } }, "token-issuer"],
  ];
  for (const [what, changes, code] of attacks) {
    it(`is refused as ${code}: ${what}`, async () => {
      assert.equal(await codeOf(verified(changes)), code);
    });
  }

  it("is refused when both tokens are in the other's place", async () => {
    const [original, fresh] = [await makeToken(ORIGINAL), await makeToken(FRESH)];
    assert.equal(await codeOf(verified({ originalText: fresh, freshText: original })), "nonce-mismatch");
    const repeating = await makeToken({ ...FRESH, nonce: ORIGINAL.nonce });
    const swapped = { originalText: repeating, freshText: original };
    assert.equal(await codeOf(verified(swapped)), "token-expired");
    const young = await makeToken({ ...ORIGINAL, exp: NOW + HOUR, iat: NOW - 61 });
    assert.equal(await codeOf(verified({ originalText: repeating, freshText: young })), "renewal-mismatch");
  });

  it("is refused when the token of the sign-in stands there twice, and has expired", async () => {
    const original = await makeToken(ORIGINAL);
    assert.equal(await codeOf(verified({ originalText: original, freshText: original })), "token-expired");
  });

  it("is refused when the fresh token alone is there, whatever its nonce", async () => {
    const fresh = await makeToken(FRESH);
    const content = { extensions: new Map([[FRESH_ID_TOKEN_EXTENSION, Buffer.from(fresh)]]) };
    assert.equal(await codeOf(verifyIdentity(await makeCertificate({ content }), context)), "token-missing");
  });

  it("is refused when it has two fresh tokens", async () => {
    const blob = Buffer.from(await certificate());
    const name = Buffer.from(FRESH_ID_TOKEN_EXTENSION);
    const at = blob.indexOf(name) - 4;
    const length = 4 + name.length + 4 + blob.readUInt32BE(at + 4 + name.length);
    const twice = Buffer.concat([blob.subarray(0, at + length), blob.subarray(at)]);
    // The list's own length stands before its first name, which is the binding's.
    const list = blob.indexOf(BINDING_EXTENSION) - 8;
    twice.writeUInt32BE(blob.readUInt32BE(list) + length, list);
    await assert.rejects(
      verifyIdentity(twice, context),
      /certificate-malformed: .*twice|certificate-malformed: .*order/,
    );
  });

  const forgeries: [what: string, make: () => Promise<string>, code: string][] = [
    [
      "by another key under the IdP's kid",
      () => makeToken(FRESH, {}, stranger.privateKey),
      "token-signature",
    ],
    [
      "under a kid of its own",
      () => makeToken(FRESH, { kid: "x" }, stranger.privateKey),
      "token-key-unknown",
    ],
    [
      "by the IdP's key of another type",
      () => makeToken(FRESH, { alg: "ES256", kid: "rsa-1" }, ec.privateKey),
      "token-key-unknown",
    ],
    ["by no key", async () => unsigned({ alg: "none" }, ""), "token-algorithm"],
    [
      "with the IdP's public key as an HMAC secret",
      async () => {
        const secret = rsa.publicKey.export({ format: "pem", type: "spki" });
        const head = `${encode({ alg: "HS256", kid: "rsa-1" })}.${encode({ ...CLAIMS, ...FRESH })}`;
        return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
      },
      "token-algorithm",
    ],
    [
      "with an algorithm that is not allowed",
      () => makeToken(FRESH, { alg: "PS256" }, rsa.privateKey),
      "token-algorithm",
    ],
  ];
  for (const [what, make, code] of forgeries) {
    it(`is refused as ${code}: a fresh token signed ${what}`, async () => {
      assert.equal(await codeOf(verified({ freshText: await make() })), code);
    });
    it(`is refused as ${code}: an original token signed ${what}`, async () => {
      assert.match(await codeOf(verified({ originalText: await make() })), /^token-|^nonce-mismatch$/);
    });
  }

  it("counts as any other where the host accepts no renewal: the sign-in's own token decides", async () => {
    const strict = { ...context, issuers: [TRUSTED] };
    assert.equal(await codeOf(verifyIdentity(await certificate(), strict)), "token-expired");
    const young = await certificate({ original: { exp: NOW + HOUR, iat: NOW - 70 } });
    assert.equal(await codeOf(verifyIdentity(young, strict)), "verified");
  });

  it("has room for two long tokens", async () => {
    const filler = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`c${i}`, "x".repeat(450)]));
    const blob = await certificate({ original: filler, fresh: filler });
    assert.ok(blob.length > 36_000, `${blob.length}`);
    assert.equal(await codeOf(verifyIdentity(blob, context)), "verified");
  });
});

function unsigned(header: object, signature: string): string {
  return `${encode(header)}.${encode({ ...CLAIMS, ...FRESH })}.${signature}`;
}
