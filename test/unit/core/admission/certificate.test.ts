import assert from "node:assert/strict";
import type { KeyObject } from "node:crypto";
import { verifyIdentity } from "@sallyport/core/admission/verify-identity.ts";
import { MAX_CERTIFICATE, parseCertificate } from "@sallyport/core/ssh/certificate.ts";
import { publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { signSsh } from "@sallyport/core/ssh/signature.ts";
import { SshReader, SshWriter } from "@sallyport/core/ssh/wire.ts";
import { codeOf, NOW } from "./identity-provider.ts";
import { ca, identityContext, makeCertificate, otherCa, userKey } from "./login-certificate.ts";

const FIELDS = [
  "type",
  "nonce",
  "key",
  "serial",
  "certType",
  "keyId",
  "principals",
  "after",
  "before",
] as const;
type Field = (typeof FIELDS)[number];

/** A good certificate with one field's bytes replaced, signed anew by `signer` but still naming `ca`. */
async function crafted(field: Field, bytes: Uint8Array, signer: KeyObject = ca): Promise<Uint8Array> {
  const reader = new SshReader(parseCertificate(await makeCertificate()).signedBytes);
  const writer = new SshWriter();
  for (const name of FIELDS) {
    const start = reader.offset;
    if (name === "serial" || name === "after" || name === "before") reader.uint64();
    else if (name === "certType") reader.uint32();
    else reader.string();
    const length = reader.offset - start;
    const original = parseCertificate(await makeCertificate()).signedBytes.subarray(start, start + length);
    writer.raw(name === field ? bytes : original);
  }
  return sealed(writer.raw(reader.rest()).bytes(), signer);
}

function sealed(signedBytes: Uint8Array, signer: KeyObject): Uint8Array {
  return new SshWriter().raw(signedBytes).string(signSsh(signer, signedBytes)).bytes();
}

const judge = async (blob: Uint8Array | Promise<Uint8Array>): Promise<string> =>
  codeOf(verifyIdentity(await blob, identityContext()));
const list = (...texts: string[]) =>
  new SshWriter().string(texts.reduce((writer, text) => writer.text(text), new SshWriter()).bytes()).bytes();

describe("certificate-malformed", () => {
  const rows: [what: string, blob: () => Uint8Array | Promise<Uint8Array>][] = [
    ["nothing", () => new Uint8Array()],
    ["zeros", () => new Uint8Array(1000)],
    ["a plain public key", () => userKey.blob],
    ["a certificate that is cut off", async () => (await makeCertificate()).slice(0, -1)],
    [
      "a certificate with a byte behind it",
      async () => Buffer.concat([await makeCertificate(), Buffer.of(0)]),
    ],
    ["more than is ever read", () => new Uint8Array(MAX_CERTIFICATE + 1)],
    ["a type that is neither user nor host", () => crafted("certType", new SshWriter().uint32(3).bytes())],
    [
      "principals cut off in the middle",
      () => crafted("principals", new SshWriter().string(Buffer.of(0, 0, 0, 9)).bytes()),
    ],
    ["a certificate signed by a certificate", () => signedByCertificate()],
  ];
  for (const [what, blob] of rows)
    it(`is ${what}`, async () => assert.equal(await judge(blob()), "certificate-malformed"));
});

describe("certificate-options", () => {
  for (const name of ["force-command", "source-address", "verify-required", "unknown@example.com"]) {
    it(`is a critical option ${name}: we issue none`, async () => {
      const criticalOptions = new Map([[name, ""]]);
      assert.equal(await judge(makeCertificate({ content: { criticalOptions } })), "certificate-options");
    });
  }
});

describe("certificate-principals", () => {
  const rows: string[][] = [
    [],
    [""],
    ["root"],
    ["*"],
    ["Sallyport"],
    ["sallyport", "root"],
    ["sallyport", "sallyport"],
    ["sallyport,root"],
    ["sallyport\n"],
    ["sallyport\nroot"],
    [' sallyport command="sh"'],
    ["sallyport "],
  ];
  for (const principals of rows) {
    it(`are ${JSON.stringify(principals)}`, async () => {
      assert.equal(await judge(crafted("principals", list(...principals))), "certificate-principals");
    });
  }

  it("are not what the one that we issue is", async () => {
    assert.equal(await judge(crafted("principals", list("sallyport"))), "verified");
  });
});

describe("certificate-authority", () => {
  it("is a CA that is not pinned", async () => {
    assert.equal(await judge(makeCertificate({ ca: otherCa })), "certificate-authority");
  });

  it("is a pinned CA's name with another's signature", async () => {
    assert.equal(
      await judge(crafted("serial", new SshWriter().uint64(1n).bytes(), otherCa)),
      "certificate-authority",
    );
  });

  it("is the certified key signing for itself", async () => {
    const certificate = await makeCertificate({
      content: { publicKey: publicKeyFromKeyObject(otherCa) },
      ca: otherCa,
    });
    assert.equal(await judge(certificate), "certificate-authority");
  });
});

describe("certificate-validity", () => {
  const rows: [what: string, validAfter: number, validBefore: number, code: string][] = [
    ["its last second", NOW - 60, NOW + 1, "verified"],
    ["its end", NOW - 60, NOW, "certificate-validity"],
    ["its start within the skew", NOW + 60, NOW + 3600, "verified"],
    ["its start beyond the skew", NOW + 61, NOW + 3600, "certificate-validity"],
    ["an end before its start", NOW + 3600, NOW + 10, "certificate-validity"],
  ];
  for (const [what, after, before, code] of rows) {
    it(`${what}: ${code}`, async () => {
      const one = await crafted("after", new SshWriter().uint64(BigInt(after)).bytes());
      const parsed = parseCertificate(one);
      const at = Buffer.from(parsed.signedBytes).indexOf(new SshWriter().uint64(BigInt(after)).bytes());
      const signedBytes = Buffer.from(parsed.signedBytes);
      signedBytes.writeBigUInt64BE(BigInt(before), at + 8);
      assert.equal(await judge(sealed(signedBytes, ca)), code);
    });
  }
});

async function signedByCertificate(): Promise<Uint8Array> {
  const certificate = parseCertificate(await makeCertificate());
  const key = new SshWriter().string(certificate.signatureKey.blob).bytes();
  const head = certificate.signedBytes.subarray(0, certificate.signedBytes.length - key.length);
  return sealed(new SshWriter().raw(head).string(certificate.blob).bytes(), ca);
}
