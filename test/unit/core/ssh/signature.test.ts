import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { signSsh, verifySsh } from "@sallyport/core/ssh/signature.ts";
import { SshReader, SshWriter } from "@sallyport/core/ssh/wire.ts";
import { ed25519, everyKey, freshEd25519, nistp256, nistp384, rsa } from "./keys.ts";

const data = Buffer.from("what was signed");

function signature(algorithm: string, bytes: Uint8Array): Uint8Array {
  return new SshWriter().text(algorithm).string(bytes).bytes();
}

function takeApart(blob: Uint8Array): [string, Uint8Array] {
  const reader = new SshReader(blob);
  return [reader.text(), reader.string()];
}

const ecdsa = (r: bigint, s: bigint) => new SshWriter().mpint(r).mpint(s).bytes();

describe("SSH signatures", () => {
  for (const { type, privateKey, publicKey } of everyKey) {
    it(`signs with ${type}, and verifies only that`, () => {
      // Often enough for ECDSA numbers with leading zeros to turn up.
      for (let i = 0; i < (type === "ssh-rsa" ? 3 : 40); i++) {
        const message = Buffer.concat([data, Buffer.of(i)]);
        const blob = signSsh(privateKey, message);
        verifySsh(publicKey, message, blob);
        assert.throws(() => verifySsh(publicKey, data, blob), { code: "ssh-bad-signature" });
      }
    });

    it(`refuses a signature of ${type} with any one bit of its numbers flipped`, () => {
      const blob = signSsh(privateKey, data);
      const start = 8 + type.length;
      for (let bit = start * 8; bit < blob.length * 8; bit += 11) {
        const flipped = Uint8Array.from(blob, (byte, index) =>
          index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte,
        );
        assert.throws(() => verifySsh(publicKey, data, flipped), { name: "SallyportError" }, `bit ${bit}`);
      }
    });

    it(`refuses a signature of ${type} cut short or with a byte more`, () => {
      const blob = signSsh(privateKey, data);
      for (let length = 0; length < blob.length; length++) {
        assert.throws(() => verifySsh(publicKey, data, blob.subarray(0, length)), { code: "ssh-malformed" });
      }
      const longer = Buffer.concat([blob, Buffer.of(0)]);
      assert.throws(() => verifySsh(publicKey, data, longer), { code: "ssh-malformed" });
    });
  }

  it("names the algorithms of RFC 8709, RFC 5656 and RFC 8332", () => {
    const names = everyKey.map(({ privateKey }) => takeApart(signSsh(privateKey, data))[0]);
    const types = everyKey.map(({ type }) => (type === "ssh-rsa" ? "rsa-sha2-512" : type));
    assert.deepEqual(names, types);
  });

  it("takes rsa-sha2-256, and RSA signatures without their leading zeros", () => {
    verifySsh(rsa.publicKey, data, signature("rsa-sha2-256", sign("sha256", data, rsa.privateKey)));
    for (let i = 0; ; i++) {
      const message = Buffer.from(`message ${i}`);
      const bytes = sign("sha512", message, rsa.privateKey);
      if (bytes[0] !== 0) continue;
      return verifySsh(rsa.publicKey, message, signature("rsa-sha2-512", bytes.subarray(1)));
    }
  });

  const [, edBytes] = takeApart(signSsh(ed25519.privateKey, data));
  const [, rsaBytes] = takeApart(signSsh(rsa.privateKey, data));
  const [, ecBytes] = takeApart(signSsh(nistp256.privateKey, data));
  const sha1 = sign("sha1", data, rsa.privateKey);
  const refused: [string, string, typeof rsa, Uint8Array][] = [
    ["another key's signature", "ssh-bad-signature", freshEd25519(), signature("ssh-ed25519", edBytes)],
    ["SHA-1", "ssh-unsupported", rsa, signature("ssh-rsa", sha1)],
    ["an unknown algorithm", "ssh-unsupported", rsa, signature("rsa-sha3-512", rsaBytes)],
    ["a name that objects inherit", "ssh-unsupported", rsa, signature("constructor", rsaBytes)],
    ["RSA's algorithm for Ed25519", "ssh-malformed", ed25519, signature("rsa-sha2-512", rsaBytes)],
    ["another curve's algorithm", "ssh-malformed", nistp384, signature("ecdsa-sha2-nistp256", ecBytes)],
    ["another hash than named", "ssh-bad-signature", rsa, signature("rsa-sha2-256", rsaBytes)],
    [
      "RSA longer than its modulus",
      "ssh-malformed",
      rsa,
      signature("rsa-sha2-512", Buffer.concat([Buffer.of(0), rsaBytes])),
    ],
    ["RSA of no bytes", "ssh-bad-signature", rsa, signature("rsa-sha2-512", new Uint8Array())],
    ["Ed25519 of 63 bytes", "ssh-malformed", ed25519, signature("ssh-ed25519", edBytes.subarray(1))],
    [
      "ECDSA in the form of X.509",
      "ssh-malformed",
      nistp256,
      signature("ecdsa-sha2-nistp256", sign("sha256", data, nistp256.privateKey)),
    ],
    ["ECDSA of zeros", "ssh-malformed", nistp256, signature("ecdsa-sha2-nistp256", ecdsa(0n, 0n))],
    [
      "ECDSA with a negative number",
      "ssh-malformed",
      nistp256,
      signature("ecdsa-sha2-nistp256", ecdsa(-5n, 5n)),
    ],
    [
      "ECDSA with too large a number",
      "ssh-malformed",
      nistp256,
      signature("ecdsa-sha2-nistp256", ecdsa(1n << 256n, 5n)),
    ],
    [
      "ECDSA past the group order",
      "ssh-bad-signature",
      nistp256,
      signature("ecdsa-sha2-nistp256", ecdsa((1n << 256n) - 1n, 5n)),
    ],
    [
      "ECDSA with bytes left over",
      "ssh-malformed",
      nistp256,
      signature("ecdsa-sha2-nistp256", Buffer.concat([ecBytes, Buffer.of(0)])),
    ],
  ];
  for (const [what, code, { publicKey }, blob] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => verifySsh(publicKey, data, blob), { name: "SallyportError", code });
    });
  }

  it("does not sign with a public key", () => {
    assert.throws(() => signSsh(ed25519.publicKey.key, data), TypeError);
  });
});
