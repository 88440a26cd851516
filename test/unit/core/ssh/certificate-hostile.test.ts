import assert from "node:assert/strict";
import { SallyportError } from "@sallyport/core/errors.ts";
import {
  formatCertificateLine,
  MAX_CERTIFICATE,
  parseCertificate,
  parseCertificateLine,
  signCertificate,
  verifyCertificateSignature,
} from "@sallyport/core/ssh/certificate.ts";
import { signSsh } from "@sallyport/core/ssh/signature.ts";
import { SshWriter } from "@sallyport/core/ssh/wire.ts";
import fc from "fast-check";
import { ed25519, everyKey, freshEd25519, type KeyPair, nistp256, rsa } from "./keys.ts";

type Fields = Record<
  "type" | "nonce" | "key" | "serial" | "certType" | "keyId" | "principals" | "after" | "before",
  Uint8Array
> &
  Record<"criticalOptions" | "extensions" | "reserved" | "signatureKey", Uint8Array>;

const w = () => new SshWriter();
const wrapped = (bytes: Uint8Array) => w().string(bytes).bytes();
const texts = (...values: string[]) => values.reduce((writer, value) => writer.text(value), w()).bytes();
const u64 = (value: bigint) => w().uint64(value).bytes();

/** A certificate field by field, in order, each already encoded, with a signature by `ca` that is good. */
function craft(fields: Partial<Fields> = {}, ca: KeyPair = ed25519, signature?: Uint8Array): Uint8Array {
  const all: Fields = {
    type: texts("ssh-ed25519-cert-v01@openssh.com"),
    nonce: wrapped(new Uint8Array(32)),
    key: wrapped(ed25519.publicKey.blob.subarray(-32)),
    serial: u64(1n),
    certType: w().uint32(1).bytes(),
    keyId: texts("id"),
    principals: wrapped(texts("anna")),
    after: u64(0n),
    before: u64(100n),
    criticalOptions: wrapped(new Uint8Array()),
    extensions: wrapped(new Uint8Array()),
    reserved: wrapped(new Uint8Array()),
    signatureKey: wrapped(ca.publicKey.blob),
    ...fields,
  };
  const signedBytes = Buffer.concat(Object.values(all));
  return Buffer.concat([signedBytes, wrapped(signature ?? signSsh(ca.privateKey, signedBytes))]);
}

/** Options from name and already wrapped data. */
const options = (...pairs: [string, Uint8Array][]) =>
  wrapped(pairs.reduce((writer, [name, data]) => writer.text(name).string(data), w()).bytes());

const flag = new Uint8Array();
const value = texts("value");
const certificate = signCertificate(
  {
    certType: "user",
    publicKey: ed25519.publicKey,
    nonce: new Uint8Array(32),
    serial: 1n,
    keyId: "id",
    validPrincipals: ["anna"],
    validAfter: 0,
    validBefore: 100,
    criticalOptions: new Map([["force-command", "/bin/true"]]),
    extensions: new Map([["permit-pty", new Uint8Array()]]),
  },
  ed25519.privateKey,
);

/** Reads and verifies; anything thrown other than our error fails the test. True when it verified. */
function verifies(blob: Uint8Array): boolean {
  try {
    verifyCertificateSignature(parseCertificate(blob));
    return true;
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    assert.match(error.code, /^ssh-/);
    return false;
  }
}

describe("hostile SSH certificates", () => {
  it("differ from good ones, which pass here", () => {
    assert.ok(verifies(craft()));
    for (const ca of everyKey) assert.ok(verifies(craft({}, ca)));
    assert.ok(verifies(craft({ reserved: texts("ignored") })));
    assert.ok(verifies(craft({ nonce: wrapped(new Uint8Array(16)) })));
    assert.ok(
      verifies(
        craft({ criticalOptions: options(["a", value], ["b", flag]), extensions: options(["a", flag]) }),
      ),
    );
    assert.equal(
      parseCertificate(craft({ before: u64((1n << 64n) - 1n) })).validBefore,
      Number.MAX_SAFE_INTEGER,
    );
  });

  const long = new Array<string>(257).fill("a");
  const refused: [string, string, Uint8Array][] = [
    ["nothing", "ssh-malformed", new Uint8Array()],
    ["a byte left over", "ssh-malformed", Buffer.concat([certificate, Buffer.of(0)])],
    ["more than 64 KB", "ssh-malformed", craft({ nonce: wrapped(new Uint8Array(MAX_CERTIFICATE)) })],
    ["a plain key", "ssh-unsupported", ed25519.publicKey.blob],
    ["a DSA certificate", "ssh-unsupported", craft({ type: texts("ssh-dss-cert-v01@openssh.com") })],
    ["a security key's", "ssh-unsupported", craft({ type: texts("sk-ssh-ed25519-cert-v01@openssh.com") })],
    [
      "a name for negotiation only",
      "ssh-unsupported",
      craft({ type: texts("rsa-sha2-512-cert-v01@openssh.com") }),
    ],
    ["a version to come", "ssh-unsupported", craft({ type: texts("ssh-ed25519-cert-v02@openssh.com") })],
    ["no key type", "ssh-unsupported", craft({ type: texts("-cert-v01@openssh.com") })],
    ["a subject key of 31 bytes", "ssh-malformed", craft({ key: wrapped(new Uint8Array(31)) })],
    ["type 0", "ssh-unsupported", craft({ certType: w().uint32(0).bytes() })],
    ["type 3", "ssh-unsupported", craft({ certType: w().uint32(3).bytes() })],
    ["a key id that is not UTF-8", "ssh-malformed", craft({ keyId: wrapped(Uint8Array.of(0xc3)) })],
    ["a key id with a NUL", "ssh-malformed", craft({ keyId: wrapped(Buffer.from("a\0b")) })],
    [
      "a principal with a NUL",
      "ssh-malformed",
      craft({ principals: wrapped(wrapped(Buffer.from("root\0"))) }),
    ],
    ["half a principal", "ssh-malformed", craft({ principals: wrapped(texts("anna").subarray(0, 6)) })],
    ["257 principals", "ssh-malformed", craft({ principals: wrapped(texts(...long)) })],
    ["an end past 2^53", "ssh-malformed", craft({ before: u64(1n << 53n) })],
    ["an end just before forever", "ssh-malformed", craft({ before: u64((1n << 64n) - 2n) })],
    [
      "a critical option twice",
      "ssh-malformed",
      craft({ criticalOptions: options(["a", value], ["a", value]) }),
    ],
    [
      "critical options unsorted",
      "ssh-malformed",
      craft({ criticalOptions: options(["b", value], ["a", value]) }),
    ],
    ["an extension twice", "ssh-malformed", craft({ extensions: options(["a", flag], ["a", flag]) })],
    ["extensions unsorted", "ssh-malformed", craft({ extensions: options(["b", flag], ["a", flag]) })],
    [
      "an upper-case name after a lower-case one",
      "ssh-malformed",
      craft({ extensions: options(["a", flag], ["B", flag]) }),
    ],
    ["an option without a name", "ssh-malformed", craft({ extensions: options(["", flag]) })],
    ["an option with a line end", "ssh-malformed", craft({ extensions: options(["a\nb", flag]) })],
    ["a long option name", "ssh-malformed", craft({ extensions: options(["a".repeat(129), flag]) })],
    [
      "an option whose value is not wrapped",
      "ssh-malformed",
      craft({ extensions: options(["a", Buffer.from("value")]) }),
    ],
    [
      "bytes after an option's value",
      "ssh-malformed",
      craft({ extensions: options(["a", Buffer.concat([value, value])]) }),
    ],
    ["an option without data", "ssh-malformed", craft({ extensions: wrapped(texts("a")) })],
    [
      "a critical option that is not UTF-8",
      "ssh-malformed",
      craft({ criticalOptions: options(["a", wrapped(Uint8Array.of(0xff))]) }),
    ],
    [
      "a critical option with a NUL",
      "ssh-malformed",
      craft({ criticalOptions: options(["a", wrapped(Buffer.from("a\0b"))]) }),
    ],
    ["a CA key that is a certificate", "ssh-unsupported", craft({ signatureKey: wrapped(certificate) })],
    [
      "a CA key with bytes left over",
      "ssh-malformed",
      craft({ signatureKey: wrapped(Buffer.concat([ed25519.publicKey.blob, flag, Buffer.of(1)])) }),
    ],
    [
      "an RSA CA's signature by SHA-1",
      "ssh-unsupported",
      craft({}, rsa, w().text("ssh-rsa").string(new Uint8Array(256)).bytes()),
    ],
    [
      "a signature of another type than the CA's",
      "ssh-malformed",
      craft({}, rsa, signSsh(ed25519.privateKey, Buffer.of(1))),
    ],
    [
      "a signature of an unknown type",
      "ssh-unsupported",
      craft({}, ed25519, w().text("none").string(flag).bytes()),
    ],
    [
      "a signature with bytes left over",
      "ssh-malformed",
      craft({}, nistp256, Buffer.concat([signSsh(nistp256.privateKey, flag), Buffer.of(0)])),
    ],
  ];
  for (const [what, code, blob] of refused) {
    it(`are refused: ${what}`, () => {
      assert.throws(() => parseCertificate(blob), { name: "SallyportError", code });
    });
  }

  const rsa1024 = w()
    .text("ssh-rsa")
    .mpint(65537n)
    .mpint((1n << 1023n) + 1n)
    .bytes();
  it("are refused: RSA 1024, as the subject's key and as the CA's", () => {
    const key = w()
      .mpint(65537n)
      .mpint((1n << 1023n) + 1n)
      .bytes();
    const subject = craft({ type: texts("ssh-rsa-cert-v01@openssh.com"), key });
    assert.throws(() => parseCertificate(subject), { code: "ssh-unsupported" });
    assert.throws(() => parseCertificate(craft({ signatureKey: wrapped(rsa1024) })), {
      code: "ssh-unsupported",
    });
  });

  it("are refused: another CA's signature, or one over other bytes", () => {
    const cut = parseCertificate(certificate);
    for (const signature of [
      signSsh(freshEd25519().privateKey, cut.signedBytes),
      signSsh(ed25519.privateKey, flag),
    ]) {
      const forged = Buffer.concat([cut.signedBytes, wrapped(signature)]);
      assert.throws(() => verifyCertificateSignature(parseCertificate(forged)), {
        code: "ssh-bad-signature",
      });
    }
  });

  for (const ca of everyKey) {
    const good = craft({}, ca);
    it(`are refused: cut short at every byte, by ${ca.type}`, () => {
      for (let length = 0; length < good.length; length++) {
        assert.throws(
          () => parseCertificate(good.subarray(0, length)),
          { name: "SallyportError" },
          `at ${length}`,
        );
      }
    });
  }

  it("never verify with any one bit flipped", () => {
    for (let bit = 0; bit < certificate.length * 8; bit++) {
      const flipped = Uint8Array.from(certificate);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(verifies(flipped), false, `bit ${bit}`);
    }
  });

  it("never verify, and throw only our errors, with many bytes changed, whatever the CA", () => {
    const goods = everyKey.map((ca) => craft({ extensions: options(["a", value]) }, ca));
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.constantFrom(...goods), changes, (good, edits) => {
        const changed = Uint8Array.from(good);
        for (const [at, mask] of edits) changed[at % good.length] = (changed[at % good.length] ?? 0) ^ mask;
        assert.ok(Buffer.compare(changed, good) === 0 || !verifies(changed));
      }),
      { numRuns: 1000 },
    );
  });

  it("never verify, and throw only our errors, when they are noise", () => {
    const noise = fc.uint8Array({ maxLength: 500 });
    const start = fc.constantFrom(new Uint8Array(), craft().subarray(0, 36), craft().subarray(0, 150));
    fc.assert(
      fc.property(start, noise, (head, tail) => assert.equal(verifies(Buffer.concat([head, tail])), false)),
      { numRuns: 1000 },
    );
  });

  const line = formatCertificateLine(certificate);
  const badLines: [string, string][] = [
    ["another type in front", line.replace("ssh-ed25519-cert", "ssh-rsa-cert")],
    ["a plain key's type in front", line.replace("-cert-v01@openssh.com", "")],
    ["two lines", `${line}\n${line}`],
    ["1 MB", `${line} ${"a".repeat(1 << 20)}`],
    ["base64 of 1 MB", `ssh-ed25519-cert-v01@openssh.com ${"A".repeat(1 << 20)}`],
  ];
  for (const [what, bad] of badLines) {
    it(`are refused: a line with ${what}`, () => {
      assert.throws(() => parseCertificateLine(bad), { name: "SallyportError", code: "ssh-malformed" });
    });
  }

  it("are not written out as a line", () => {
    assert.throws(() => formatCertificateLine(certificate.subarray(1)), { code: "ssh-malformed" });
    assert.throws(() => formatCertificateLine(certificate, "a\nb"), TypeError);
  });
});
