import assert from "node:assert/strict";
import { createSecretKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  fingerprint,
  formatPublicKeyLine,
  parsePublicKeyBlob,
  parsePublicKeyLine,
  publicKeyFromKeyObject,
} from "@sallyport/core/ssh/public-key.ts";
import { SshReader, SshWriter } from "@sallyport/core/ssh/wire.ts";
import { ed25519, everyKey, nistp256, rsa } from "./keys.ts";
import { OpenSsh } from "./openssh.ts";

const blob = () => new SshWriter();
const rsaBlob = (e: bigint, n: bigint) => blob().text("ssh-rsa").mpint(e).mpint(n).bytes();
const oddOfBits = (bits: number) => (1n << BigInt(bits - 1)) + 1n;

function rsaModulus(): bigint {
  const reader = new SshReader(rsa.publicKey.blob);
  reader.text();
  reader.mpint();
  return reader.mpint();
}

function ecBlob(type: string, identifier: string, point: Uint8Array): Uint8Array {
  return blob().text(type).text(identifier).string(point).bytes();
}

describe("SSH public keys", () => {
  const openSsh = new OpenSsh();
  before(() => openSsh.writeEveryKey());
  after(() => openSsh.remove());

  for (const { type, privateKey, publicKey } of everyKey) {
    it(`reads and writes ${type} as ssh-keygen does`, () => {
      const derived = openSsh.keygen("-y", "-f", type);
      const parsed = parsePublicKeyLine(derived);
      assert.deepEqual(parsed.blob, publicKey.blob);
      assert.equal(parsed.type, type);
      assert.ok(parsed.key.equals(publicKey.key));
      assert.equal(
        formatPublicKeyLine(parsed, "a comment"),
        openSsh.read(`${type}.pub`).replace(/ \S+\n/, " a comment"),
      );
      assert.deepEqual(publicKeyFromKeyObject(privateKey).blob, publicKeyFromKeyObject(publicKey.key).blob);
    });

    it(`gives the fingerprint of ${type} as ssh-keygen does`, () => {
      assert.equal(openSsh.keygen("-l", "-f", `${type}.pub`).split(" ")[1], fingerprint(publicKey.blob));
    });

    it(`refuses ${type} cut short at every byte, or with one byte more`, () => {
      for (let length = 0; length < publicKey.blob.length; length++) {
        const cut = publicKey.blob.subarray(0, length);
        assert.throws(() => parsePublicKeyBlob(cut), { name: "SallyportError" }, `cut at ${length}`);
      }
      const longer = Buffer.concat([publicKey.blob, Buffer.of(0)]);
      assert.throws(() => parsePublicKeyBlob(longer), { code: "ssh-malformed" });
    });
  }

  it("reads keys that ssh-keygen made", () => {
    for (const [type, bits] of [
      ["ed25519", "256"],
      ["ecdsa", "521"],
      ["rsa", "2048"],
    ] as const) {
      openSsh.keygen("-q", "-t", type, "-b", bits, "-N", "", "-C", "Ünïcode", "-f", `made-${type}`);
      const line = openSsh.read(`made-${type}.pub`);
      assert.equal(`${formatPublicKeyLine(parsePublicKeyLine(line))} Ünïcode\n`, line);
    }
  });

  it("holds a copy", () => {
    const given = Buffer.from(ed25519.publicKey.blob);
    const parsed = parsePublicKeyBlob(given);
    given.fill(0);
    assert.deepEqual(parsed.blob, ed25519.publicKey.blob);
  });

  const n = rsaModulus();
  const ecPoint = nistp256.publicKey.blob.slice(-65);
  const offCurve = Uint8Array.from(ecPoint, (byte, index) => (index === 64 ? byte ^ 1 : byte));
  const compressed = Uint8Array.of(2, ...ecPoint.subarray(1, 33));
  const refused: [string, string, Uint8Array][] = [
    ["nothing", "ssh-malformed", new Uint8Array()],
    ["a blob of 9 KB", "ssh-malformed", new Uint8Array(9000)],
    [
      "a security key",
      "ssh-unsupported",
      blob().text("sk-ssh-ed25519@openssh.com").string(new Uint8Array(32)).bytes(),
    ],
    ["DSA", "ssh-unsupported", blob().text("ssh-dss").mpint(3n).bytes()],
    ["a name that objects inherit", "ssh-unsupported", blob().text("toString").bytes()],
    ["a certificate", "ssh-unsupported", blob().text("ssh-ed25519-cert-v01@openssh.com").bytes()],
    ["Ed25519 of 31 bytes", "ssh-malformed", blob().text("ssh-ed25519").string(new Uint8Array(31)).bytes()],
    ["Ed25519 of 33 bytes", "ssh-malformed", blob().text("ssh-ed25519").string(new Uint8Array(33)).bytes()],
    ["another curve's name", "ssh-malformed", ecBlob("ecdsa-sha2-nistp256", "nistp384", ecPoint)],
    ["another curve's point", "ssh-malformed", ecBlob("ecdsa-sha2-nistp384", "nistp384", ecPoint)],
    ["a point off the curve", "ssh-malformed", ecBlob("ecdsa-sha2-nistp256", "nistp256", offCurve)],
    ["the point at infinity", "ssh-malformed", ecBlob("ecdsa-sha2-nistp256", "nistp256", Uint8Array.of(0))],
    ["a compressed point", "ssh-malformed", ecBlob("ecdsa-sha2-nistp256", "nistp256", compressed)],
    [
      "a point of zeros",
      "ssh-malformed",
      ecBlob("ecdsa-sha2-nistp256", "nistp256", Uint8Array.of(4, ...new Uint8Array(64))),
    ],
    ["RSA with exponent 1", "ssh-malformed", rsaBlob(1n, n)],
    ["RSA with an even exponent", "ssh-malformed", rsaBlob(65536n, n)],
    ["RSA with a negative exponent", "ssh-malformed", rsaBlob(-3n, n)],
    ["RSA with a negative modulus", "ssh-malformed", rsaBlob(65537n, -n)],
    ["RSA with an even modulus", "ssh-malformed", rsaBlob(65537n, n + 1n)],
    ["RSA with an exponent of 65 bits", "ssh-unsupported", rsaBlob(oddOfBits(65), n)],
    ["RSA 1024", "ssh-unsupported", rsaBlob(65537n, oddOfBits(1024))],
    ["RSA 2047", "ssh-unsupported", rsaBlob(65537n, oddOfBits(2047))],
    ["RSA 16385", "ssh-unsupported", rsaBlob(65537n, oddOfBits(16385))],
    [
      "a modulus with a zero too many",
      "ssh-malformed",
      blob()
        .text("ssh-rsa")
        .mpint(65537n)
        .string(Buffer.from(`0000${n.toString(16)}`, "hex"))
        .bytes(),
    ],
    [
      "a modulus without its sign byte",
      "ssh-malformed",
      blob()
        .text("ssh-rsa")
        .mpint(65537n)
        .string(Buffer.from(n.toString(16), "hex"))
        .bytes(),
    ],
  ];
  for (const [what, code, bytes] of refused) {
    it(`refuses ${what}`, () =>
      assert.throws(() => parsePublicKeyBlob(bytes), { name: "SallyportError", code }));
  }

  it("takes RSA of 16384 bits", () => {
    assert.equal(parsePublicKeyBlob(rsaBlob(65537n, oddOfBits(16384))).type, "ssh-rsa");
  });

  const line = formatPublicKeyLine(ed25519.publicKey);
  const badLines: [string, string][] = [
    ["no key", ""],
    ["only a type", "ssh-ed25519"],
    ["another type in front", line.replace("ssh-ed25519", "ssh-rsa")],
    ["options in front", `no-pty ${line}`],
    ["a space in front", ` ${line}`],
    ["two lines", `${line}\n${line}`],
    ["an empty second line", `${line}\n\n`],
    ["a carriage return in the comment", `${line} a\rb`],
    ["an escape in the comment", `${line} \u001b[2J`],
    ["base64url", line.replaceAll("A", "_")],
    ["base64 with stray bits", "ssh-ed25519 AB=="],
    ["a comment of 100 KB", `${line} ${"a".repeat(100_000)}`],
  ];
  for (const [what, bad] of badLines) {
    it(`refuses a line with ${what}`, () =>
      assert.throws(() => parsePublicKeyLine(bad), { code: "ssh-malformed" }));
  }

  for (const comment of ["a\nb", "a\rb", "\u001b[2J", "ünï", "a".repeat(1025)]) {
    it(`does not write the comment ${JSON.stringify(comment.slice(0, 10))}`, () => {
      assert.throws(() => formatPublicKeyLine(ed25519.publicKey, comment), TypeError);
    });
  }

  const unusable: [string, KeyObject][] = [
    ["X25519", generateKeyPairSync("x25519").privateKey],
    ["Ed448", generateKeyPairSync("ed448").publicKey],
    ["secp256k1", generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey],
    ["RSA 1024", generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey],
    ["RSA-PSS", generateKeyPairSync("rsa-pss", { modulusLength: 1024 }).privateKey],
  ];
  for (const [what, key] of unusable) {
    it(`refuses the key object of ${what}`, () => {
      assert.throws(() => publicKeyFromKeyObject(key), { code: "ssh-unsupported" });
    });
  }

  it("refuses a secret key as the mistake it is", () => {
    assert.throws(() => publicKeyFromKeyObject(createSecretKey(Buffer.alloc(32))), TypeError);
  });
});
