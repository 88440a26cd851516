import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { type Binding, bindingNonce, makeBinding } from "@sallyport/core/binding.ts";
import { sshKeyToJwk } from "@sallyport/core/ssh/jwk.ts";
import { publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { codeOf } from "./identity-provider.ts";
import { prove, userKey } from "./login-certificate.ts";

const upk = sshKeyToJwk(userKey);
const binding = makeBinding(upk, new Uint8Array(32).fill(7));
const otherUpk = sshKeyToJwk(publicKeyFromKeyObject(generateKeyPairSync("ed25519").privateKey));
const other = makeBinding(otherUpk, new Uint8Array(32).fill(7));

describe("the binding of a token to a certificate's key", () => {
  it("holds however the binding's JSON is written", async () => {
    const { v, typ, alg, rz } = binding;
    for (const text of [JSON.stringify(binding, null, 2), JSON.stringify({ rz, upk, alg, typ, v })]) {
      assert.equal(await codeOf(prove({ binding, bindingText: text })), "verified");
    }
  });

  const malformed: [what: string, text: string][] = [
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", JSON.stringify([binding])],
    ["a member too many", JSON.stringify({ ...binding, x: 1 })],
    ["a member of the prototype", JSON.stringify(binding).replace("{", '{"__proto__":{},')],
    ["another version", JSON.stringify({ ...binding, v: 2 })],
    ["another type", JSON.stringify({ ...binding, typ: "sallyport-host-binding" })],
    ["another hash", JSON.stringify({ ...binding, alg: "SHA-1" })],
    ["a short random part", JSON.stringify({ ...binding, rz: binding.rz.slice(1) })],
    ["no random part", JSON.stringify({ ...binding, rz: undefined })],
    ["a key of another kind", JSON.stringify({ ...binding, upk: { kty: "oct", k: "AA" } })],
    ["a private key", JSON.stringify({ ...binding, upk: { ...upk, d: "AA" } })],
    ["more than 8 KiB", JSON.stringify(binding) + " ".repeat(8192)],
    ["what bytes that are no UTF-8 read as", "\ufffd"],
  ];
  for (const [what, bindingText] of malformed) {
    it(`is refused as binding-malformed: ${what}`, async () => {
      assert.equal(await codeOf(prove({ binding, bindingText })), "binding-malformed");
    });
  }

  it("is refused as binding-missing when the extension is there but empty", async () => {
    assert.equal(await codeOf(prove({ binding, bindingText: "" })), "binding-missing");
  });

  const nonces: [what: string, nonce: unknown][] = [
    ["empty", ""],
    ["another key's", bindingNonce(other)],
    ["the same key's with another random part", bindingNonce(makeBinding(upk, new Uint8Array(32)))],
    ["padded", `${bindingNonce(binding)}=`],
    ["in hex", Buffer.from(bindingNonce(binding), "base64url").toString("hex")],
    ["the random part itself", binding.rz],
  ];
  for (const [what, nonce] of nonces) {
    it(`is refused as nonce-mismatch: a nonce that is ${what}`, async () => {
      assert.equal(await codeOf(prove({ binding, claims: { nonce } })), "nonce-mismatch");
    });
  }

  it("is brokered without any nonce, and bound with the right one", async () => {
    assert.equal((await prove({ binding, claims: { nonce: undefined } })).assurance, "brokered");
    assert.equal((await prove({ binding })).assurance, "bound");
  });

  it("is refused as token-malformed: a nonce that is null", async () => {
    assert.equal(await codeOf(prove({ binding, claims: { nonce: null } })), "token-malformed");
  });

  it("is refused as binding-key-mismatch: somebody else's token and binding in a certificate for my key", async () => {
    assert.equal(await codeOf(prove({ binding: other })), "binding-key-mismatch");
  });

  it("is refused as binding-key-mismatch when the key is written in another way than the one canonical", async () => {
    const x = "x" in upk ? upk.x : "";
    const last = x.at(-1) ?? "";
    const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // 32 bytes leave four bits of the 43rd digit unused: its neighbour decodes to the same bytes.
    const same = `${x.slice(0, -1)}${digits.charAt(digits.indexOf(last) ^ 1)}`;
    assert.deepEqual(Buffer.from(same, "base64url"), Buffer.from(x, "base64url"));
    const twin = { ...binding, upk: { ...upk, x: same } } as Binding;
    assert.equal(await codeOf(prove({ binding: twin })), "binding-key-mismatch");
  });
});
