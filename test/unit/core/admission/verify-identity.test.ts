import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { verifyIdentity } from "@sallyport/core/admission/verify-identity.ts";
import { makeBinding } from "@sallyport/core/binding.ts";
import { RefusedError } from "@sallyport/core/policy/refusal.ts";
import { sshKeyToJwk } from "@sallyport/core/ssh/jwk.ts";
import { fingerprint, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { codeOf, encode, NOW } from "./identity-provider.ts";
import {
  identityContext,
  makeCertificate,
  otherCa,
  type Parts,
  prove,
  userKey,
} from "./login-certificate.ts";

const otherKey = publicKeyFromKeyObject(generateKeyPairSync("ed25519").privateKey);
const bindingOf = (key = userKey) => makeBinding(sshKeyToJwk(key), new Uint8Array(32));

/** One change for each code, in the order of DESIGN, "Admission, step by step". */
const BREAKS: [code: string, changes: Partial<Parts>][] = [
  ["certificate-type", { content: { certType: "host" } }],
  ["certificate-options", { content: { criticalOptions: new Map([["force-command", "/bin/sh"]]) } }],
  ["certificate-principals", { content: { validPrincipals: ["root"] } }],
  ["certificate-authority", { ca: otherCa }],
  ["certificate-validity", { content: { validBefore: NOW } }],
  ["token-missing", { tokenText: null }],
  ["token-malformed", { tokenText: "a.b" }],
  ["token-issuer", { claims: { iss: "https://evil.example" } }],
  [
    "token-algorithm",
    {
      tokenText: `${encode({ alg: "none" })}.${encode({ iss: "https://idp.example/tenant-a", sub: "a", aud: "b", exp: 1, iat: 1 })}.`,
    },
  ],
  ["token-audience", { claims: { aud: "web-client" } }],
  ["token-expired", { claims: { exp: NOW - 60 } }],
  ["token-not-yet-valid", { claims: { nbf: NOW + 61 } }],
  ["token-too-old", { claims: { iat: NOW - 3661 } }],
  ["binding-missing", { bindingText: null }],
  ["binding-malformed", { bindingText: "{}" }],
  ["nonce-mismatch", { claims: { nonce: "another" } }],
  ["binding-key-mismatch", { binding: bindingOf(otherKey) }],
];

/** Both changes in one; the earlier one's wins where they touch the same. */
function both(earlier: Partial<Parts>, later: Partial<Parts>): Partial<Parts> {
  return {
    ...later,
    ...earlier,
    content: { ...later.content, ...earlier.content },
    claims: { ...later.claims, ...earlier.claims },
  };
}

describe("a certificate that proves who logs in", () => {
  it("gives the person, the serial and the key", async () => {
    const identity = await prove();
    assert.equal(identity.token.subject, "alice");
    assert.equal(identity.token.mfa, "mfa");
    assert.equal(identity.certificateSerial, "42");
    assert.equal(identity.keyFingerprint, fingerprint(userKey.blob));
    assert.equal(identity.validBefore, NOW + 3600);
  });

  it("may certify any kind of key", async () => {
    const kinds = [
      generateKeyPairSync("ec", { namedCurve: "P-256" }),
      generateKeyPairSync("ec", { namedCurve: "P-521" }),
      generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ];
    for (const { privateKey } of kinds) {
      const publicKey = publicKeyFromKeyObject(privateKey);
      const identity = await prove({ content: { publicKey }, binding: bindingOf(publicKey) });
      assert.equal(identity.keyFingerprint, fingerprint(publicKey.blob));
    }
  });

  it("may come from any of the pinned CAs", async () => {
    const keys = identityContext().userCaKeys;
    const context = identityContext({ userCaKeys: [publicKeyFromKeyObject(otherCa).blob, ...keys] });
    assert.equal((await prove({ ca: otherCa }, context)).certificateSerial, "42");
    assert.equal(await codeOf(prove({}, identityContext({ userCaKeys: [] }))), "certificate-authority");
  });

  for (const [index, [code, changes]] of BREAKS.entries()) {
    it(`is refused as ${code}, which wins over every later refusal`, async () => {
      assert.equal(await codeOf(prove(changes)), code);
      for (const [later, laterChanges] of BREAKS.slice(index + 1)) {
        // A token that is missing or no token at all has no claims to be wrong.
        if ("tokenText" in laterChanges && "claims" in changes) continue;
        assert.equal(await codeOf(prove(both(changes, laterChanges))), code, `against ${later}`);
      }
    });
  }

  it("is told nothing when identity is not proven", async () => {
    for (const [, changes] of BREAKS) {
      await assert.rejects(
        prove(changes),
        (error: unknown) => error instanceof RefusedError && error.refusal.told === null,
      );
    }
  });

  it("is refused with any one bit flipped", async () => {
    const good = Buffer.from(await makeCertificate());
    for (let bit = 0; bit < good.length * 8; bit += 7) {
      const flipped = Buffer.from(good);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.match(await codeOf(verifyIdentity(flipped, identityContext())), /^certificate-/, `bit ${bit}`);
    }
  });
});
