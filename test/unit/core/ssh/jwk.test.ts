import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { jwkToSshKey, sshKeyToJwk } from "@sallyport/core/ssh/jwk.ts";
import { ed25519, everyKey, nistp256, rsa } from "./keys.ts";

describe("SSH keys as JWK", () => {
  for (const { type, publicKey } of everyKey) {
    it(`turns ${type} into the members of RFC 7638, in order, and back`, () => {
      const jwk = sshKeyToJwk(publicKey);
      assert.deepEqual(Object.keys(jwk), Object.keys(jwk).sort());
      assert.deepEqual(jwkToSshKey(JSON.parse(JSON.stringify(jwk))).blob, publicKey.blob);
      assert.deepEqual({ ...jwk }, publicKey.key.export({ format: "jwk" }));
    });
  }

  it("gives the thumbprint of RFC 7638 §3.1", () => {
    const n =
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjh" +
      "Mstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL" +
      "5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    const members = JSON.stringify(sshKeyToJwk(jwkToSshKey({ kty: "RSA", n, e: "AQAB" })));
    const thumbprint = createHash("sha256").update(members).digest("base64url");
    assert.equal(thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  });

  const okp = { ...sshKeyToJwk(ed25519.publicKey) } as Record<string, string>;
  const ec = { ...sshKeyToJwk(nistp256.publicKey) } as Record<string, string>;
  const rsaJwk = { ...sshKeyToJwk(rsa.publicKey) } as Record<string, string>;
  const without = (jwk: Record<string, string>, name: string) =>
    Object.fromEntries(Object.entries(jwk).filter(([key]) => key !== name));
  const rezeroed = Buffer.concat([Buffer.of(0), Buffer.from(rsaJwk.n ?? "", "base64url")]).toString(
    "base64url",
  );
  const shifted = Buffer.from(`${ec.x}`, "base64url");
  const refused: [string, string, unknown][] = [
    ["no object", "ssh-malformed", "key"],
    ["null", "ssh-malformed", null],
    ["an array", "ssh-unsupported", []],
    ["no kty", "ssh-unsupported", without(okp, "kty")],
    ["an octet key", "ssh-unsupported", { kty: "oct", k: "AA" }],
    ["X25519", "ssh-unsupported", { ...okp, crv: "X25519" }],
    ["secp256k1", "ssh-unsupported", { ...ec, crv: "secp256k1" }],
    ["a private member", "ssh-malformed", { ...okp, d: okp.x }],
    ["an algorithm", "ssh-malformed", { ...rsaJwk, alg: "RS256" }],
    ["a member too many, undefined", "ssh-malformed", { ...okp, use: undefined }],
    ["no x", "ssh-malformed", without(okp, "x")],
    ["no e", "ssh-malformed", without(rsaJwk, "e")],
    ["x that is no string", "ssh-malformed", { ...okp, x: 7 }],
    ["x too short", "ssh-malformed", { ...okp, x: okp.x?.slice(4) }],
    ["x with padding", "ssh-malformed", { ...okp, x: `${okp.x}=` }],
    ["x in base64", "ssh-malformed", { ...okp, x: Buffer.alloc(32, 0xff).toString("base64") }],
    ["x with white space", "ssh-malformed", { ...okp, x: `${okp.x} ` }],
    ["a modulus with a zero in front", "ssh-malformed", { ...rsaJwk, n: rezeroed }],
    ["a modulus of 1 MB", "ssh-malformed", { ...rsaJwk, n: "A".repeat(1 << 20) }],
    ["a point off its curve", "ssh-malformed", { ...ec, y: ec.x }],
    [
      "a byte moved from x to y",
      "ssh-malformed",
      {
        ...ec,
        x: shifted.subarray(0, 31).toString("base64url"),
        y: Buffer.concat([shifted.subarray(31), Buffer.from(`${ec.y}`, "base64url")]).toString("base64url"),
      },
    ],
  ];
  for (const [what, code, jwk] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => jwkToSshKey(jwk), { name: "SallyportError", code }));
  }
});
