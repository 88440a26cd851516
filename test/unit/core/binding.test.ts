import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { bindingNonce, makeBinding, parseBinding, proofOfPossession } from "@sallyport/core/binding.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import fc from "fast-check";

const upk = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" } as const; // RFC 8037 A.2
const binding = makeBinding(
  upk,
  Uint8Array.from({ length: 32 }, (_, index) => index),
);
const RZ = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/** The canonical JSON, written by hand: members sorted, no spaces. */
const CANONICAL = `{"alg":"SHA-256","rz":"${RZ}","typ":"sallyport-ssh-binding","upk":{"crv":"Ed25519","kty":"OKP","x":"${upk.x}"},"v":1}`;

describe("a key binding", () => {
  it("has the nonce base64url(SHA-256(context, NUL, canonical JSON))", () => {
    const expected = createHash("sha256").update("sallyport-ssh-v1\0").update(CANONICAL).digest("base64url");
    assert.equal(bindingNonce(binding), expected);
    // As `printf 'sallyport-ssh-v1\0%s' "$json" | sha256sum` says.
    assert.equal(
      Buffer.from(expected, "base64url").toString("hex"),
      "56d244bae21ed79388fb0bb9551229876b085919026c5a03d65a6f52fd8b521a",
    );
  });

  it("has that nonce in whatever order its members come", () => {
    const { v, typ, alg, rz } = binding;
    const { x, crv, kty } = upk;
    assert.equal(bindingNonce({ rz, upk: { x, crv, kty }, alg, typ, v }), bindingNonce(binding));
  });

  it("has another nonce when anything in it differs", () => {
    const others = [
      makeBinding(upk, new Uint8Array(32)),
      makeBinding({ ...upk, x: `${upk.x.slice(0, -1)}p` }, Buffer.from(RZ, "base64url")),
    ];
    for (const other of others) assert.notEqual(bindingNonce(other), bindingNonce(binding));
  });

  it("comes back from its JSON", () => {
    assert.deepEqual(parseBinding(JSON.stringify(binding)), binding);
    assert.deepEqual(parseBinding(CANONICAL), binding);
  });

  const keys: [what: string, key: object, ok: boolean][] = [
    ["P-256", { kty: "EC", crv: "P-256", x: "AA", y: "AA" }, true],
    ["RSA", { kty: "RSA", n: "AA", e: "AQAB" }, true],
    ["secp256k1", { kty: "EC", crv: "secp256k1", x: "AA", y: "AA" }, false],
    ["X25519", { kty: "OKP", crv: "X25519", x: "AA" }, false],
    ["EC without y", { kty: "EC", crv: "P-256", x: "AA" }, false],
    ["a key with a kid", { ...upk, kid: "k" }, false],
    ["a private key", { ...upk, d: "AA" }, false],
    ["padding", { ...upk, x: `${upk.x}=` }, false],
    ["an RSA number beyond 16384 bits", { kty: "RSA", n: "A".repeat(2733), e: "AQAB" }, false],
  ];
  for (const [what, key, ok] of keys) {
    it(`${ok ? "takes" : "refuses"} ${what}`, () => {
      const parse = () => parseBinding(JSON.stringify({ ...binding, upk: key }));
      if (ok) assert.deepEqual(parse().upk, key);
      else assert.throws(parse, { name: "SallyportError", code: "binding-invalid" });
    });
  }

  it("is made of 32 random bytes only", () => {
    for (const length of [0, 31, 33])
      assert.throws(() => makeBinding(upk, new Uint8Array(length)), TypeError);
  });

  it("never throws anything but our error, whatever the text", () => {
    const json = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((upk) => JSON.stringify({ ...binding, upk })),
    );
    fc.assert(
      fc.property(json, (text) => {
        try {
          parseBinding(text);
        } catch (error) {
          assert.ok(error instanceof SallyportError && error.code === "binding-invalid");
        }
      }),
    );
  });
});

describe("the proof of possession", () => {
  it("is the context and the canonical JSON of binding, token hash and challenge", () => {
    const idTokenHash = createHash("sha256").update("a.b.c").digest("base64url");
    const expected = `sallyport-ssh-proof-v1\0{"binding":${CANONICAL},"challenge":"ch","idTokenHash":"${idTokenHash}"}`;
    assert.equal(Buffer.from(proofOfPossession(binding, "a.b.c", "ch")).toString(), expected);
  });

  it("cannot be moved from one field to another", () => {
    const one = proofOfPossession(binding, "a", 'b","idTokenHash":"c');
    assert.notDeepEqual(one, proofOfPossession(binding, 'a","challenge":"b', "c"));
  });
});
