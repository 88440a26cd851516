import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  type CertificateContent,
  formatCertificateLine,
  parseCertificate,
  parseCertificateLine,
  signCertificate,
  verifyCertificateSignature,
} from "@sallyport/core/ssh/certificate.ts";
import { fingerprint } from "@sallyport/core/ssh/public-key.ts";
import { ed25519, everyKey, nistp256, rsa } from "./keys.ts";
import { OpenSsh } from "./openssh.ts";

const nonce = new Uint8Array(32).fill(7);
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

/** 2026-07-01 10:00:00 and 11:30:00 UTC. */
const AFTER = 1782900000;
const BEFORE = AFTER + 5400;

const content: CertificateContent = {
  certType: "user",
  publicKey: ed25519.publicKey,
  nonce,
  serial: 0xfedcba9876543210n,
  keyId: "anna@vendor.example (eng_acme-db)",
  validPrincipals: ["anna", "sallyport:hst_1"],
  validAfter: AFTER,
  validBefore: BEFORE,
};

describe("SSH certificates (PROTOCOL.certkeys)", () => {
  const openSsh = new OpenSsh();
  before(() => openSsh.writeEveryKey());
  after(() => openSsh.remove());

  /** Has ssh-keygen certify `subject`.pub; returns the certificate's line. */
  function keygenSign(ca: string, subject: string, ...args: string[]): string {
    openSsh.write("subject.pub", openSsh.read(`${subject}.pub`));
    openSsh.keygen("-q", "-s", ca, ...args, "subject.pub");
    return readFileSync(openSsh.path("subject-cert.pub"), "utf8");
  }

  /** What ssh-keygen, which also checks the signature, has to say of a certificate. */
  function keygenShow(blob: Uint8Array): string {
    openSsh.write("shown-cert.pub", `${formatCertificateLine(blob, "comment")}\n`);
    return openSsh.keygen("-L", "-f", "shown-cert.pub").replace(/\s*\n\s*/g, "\n");
  }

  for (const ca of everyKey) {
    for (const subject of everyKey) {
      it(`read as ssh-keygen made them: ${subject.type} by ${ca.type}`, () => {
        const options = ["-O", "clear", "-O", "permit-pty", "-O", "extension:a@b.example=value"];
        const names = ["-I", "key id ü", "-n", "anna,bob", "-z", "42", "-V", "20260701100000:20260701113000"];
        const cert = parseCertificateLine(
          keygenSign(ca.type, subject.type, ...names, ...options, "-O", "force-command=/bin/true"),
        );
        verifyCertificateSignature(cert);
        assert.equal(cert.certType, "user");
        assert.deepEqual(cert.publicKey.blob, subject.publicKey.blob);
        assert.deepEqual(cert.signatureKey.blob, ca.publicKey.blob);
        assert.equal(cert.serial, 42n);
        assert.equal(cert.keyId, "key id ü");
        assert.deepEqual(cert.validPrincipals, ["anna", "bob"]);
        assert.deepEqual([cert.validAfter, cert.validBefore], [AFTER, BEFORE]);
        assert.deepEqual([...cert.criticalOptions], [["force-command", "/bin/true"]]);
        assert.deepEqual([...cert.extensions.keys()], ["a@b.example", "permit-pty"]);
        assert.equal(text(cert.extensions.get("a@b.example")), "value");
        assert.equal(cert.extensions.get("permit-pty")?.length, 0);
        assert.equal(
          Buffer.concat([cert.signedBytes, Buffer.alloc(4), cert.signature]).length,
          cert.blob.length,
        );
      });

      it(`are shown by ssh-keygen as we meant them: ${subject.type} by ${ca.type}`, () => {
        const extensions = new Map([
          ["permit-pty", new Uint8Array()],
          ["id@b.example", Buffer.from("value")],
        ]);
        const criticalOptions = new Map([
          ["source-address", "192.0.2.0/24"],
          ["force-command", "/bin/true a b"],
        ]);
        const signed = { ...content, publicKey: subject.publicKey, extensions, criticalOptions };
        const blob = signCertificate(signed, ca.privateKey);
        const shown = keygenShow(blob);
        assert.ok(shown.includes(`Type: ${subject.type}-cert-v01@openssh.com user certificate\n`));
        assert.ok(shown.includes(`-CERT ${fingerprint(subject.publicKey.blob)}\n`));
        const algorithm = ca.type === "ssh-rsa" ? "rsa-sha2-512" : ca.type;
        assert.ok(shown.includes(`${fingerprint(ca.publicKey.blob)} (using ${algorithm})\n`));
        assert.ok(shown.includes('Key ID: "anna@vendor.example (eng_acme-db)"\n'));
        assert.ok(shown.includes("Serial: 18364758544493064720\n"));
        assert.ok(shown.includes("Valid: from 2026-07-01T10:00:00 to 2026-07-01T11:30:00\n"));
        assert.ok(shown.includes("Principals:\nanna\nsallyport:hst_1\nCritical Options:\n"));
        assert.ok(shown.includes("force-command /bin/true a b\nsource-address 192.0.2.0/24\nExtensions:\n"));
        assert.match(shown, /id@b\.example UNKNOWN OPTION.*\npermit-pty\n$/);

        const { extensions: parsedExtensions, ...parsed } = parseCertificate(blob);
        verifyCertificateSignature(parseCertificate(blob));
        assert.equal(text(parsedExtensions.get("id@b.example")), "value");
        assert.deepEqual(new Map(parsed.criticalOptions), criticalOptions);
        assert.deepEqual(parsed.validPrincipals, content.validPrincipals);
      });
    }
  }

  for (const ca of [ed25519, rsa]) {
    it(`are the very bytes that ssh-keygen makes, given its nonce: by ${ca.type}`, () => {
      const line = keygenSign(
        ca.type,
        nistp256.type,
        "-I",
        "id",
        "-n",
        "anna",
        "-V",
        "20260701100000:20260701113000",
      );
      const cert = parseCertificateLine(line);
      assert.deepEqual(signCertificate(cert, ca.privateKey), cert.blob);
      assert.equal(`${formatCertificateLine(cert.blob, nistp256.type)}\n`, line);
    });
  }

  it("of hosts, with no end and no principals, read as ssh-keygen made them", () => {
    const cert = parseCertificateLine(
      keygenSign(ed25519.type, rsa.type, "-h", "-I", "host", "-V", "always:forever"),
    );
    verifyCertificateSignature(cert);
    assert.equal(cert.certType, "host");
    assert.deepEqual([cert.validAfter, cert.validBefore], [0, Number.MAX_SAFE_INTEGER]);
    assert.deepEqual([cert.validPrincipals, cert.extensions.size, cert.criticalOptions.size], [[], 0, 0]);
  });

  it("of hosts, with no end, are shown by ssh-keygen as we meant them", () => {
    const host = { certType: "host", validPrincipals: ["db1.acme.example"], validAfter: 0 } as const;
    const blob = signCertificate(
      { ...content, ...host, validBefore: Number.MAX_SAFE_INTEGER },
      nistp256.privateKey,
    );
    const shown = keygenShow(blob);
    assert.match(shown, /host certificate\n/);
    assert.match(
      shown,
      /Valid: forever\nPrincipals:\ndb1\.acme\.example\nCritical Options: \(none\)\nExtensions: \(none\)/,
    );
  });

  it("carry extensions of 20 KB, both ways", () => {
    const token = "x.y-Z_9".repeat(3000);
    const extensions = new Map([["id-token@sallyport.example", Buffer.from(token)]]);
    const blob = signCertificate({ ...content, extensions }, ed25519.privateKey);
    assert.match(keygenShow(blob), /id-token@sallyport\.example UNKNOWN OPTION.*/);
    const cert = parseCertificateLine(
      keygenSign(
        ed25519.type,
        ed25519.type,
        "-I",
        "id",
        "-O",
        `extension:id-token@sallyport.example=${token}`,
      ),
    );
    verifyCertificateSignature(cert);
    assert.equal(text(cert.extensions.get("id-token@sallyport.example")), token);
    assert.deepEqual([...cert.extensions.keys()], [...cert.extensions.keys()].sort());
  });

  it("hold critical options that are flags", () => {
    const line = keygenSign(
      ed25519.type,
      ed25519.type,
      "-I",
      "id",
      "-O",
      "verify-required",
      "-O",
      "critical:x@y.example",
    );
    const { criticalOptions } = parseCertificateLine(line);
    assert.deepEqual(
      [...criticalOptions],
      [
        ["verify-required", ""],
        ["x@y.example", ""],
      ],
    );
    const blob = signCertificate({ ...content, criticalOptions }, ed25519.privateKey);
    assert.match(keygenShow(blob), /Critical Options:\nverify-required\n/);
  });

  it("by an RSA CA verify with rsa-sha2-256 and are refused with SHA-1", () => {
    verifyCertificateSignature(
      parseCertificateLine(keygenSign(rsa.type, rsa.type, "-I", "id", "-t", "rsa-sha2-256")),
    );
    const sha1 = keygenSign(rsa.type, rsa.type, "-I", "id", "-t", "ssh-rsa");
    assert.throws(() => parseCertificateLine(sha1), { code: "ssh-unsupported" });
  });

  it("hold copies of what they were read from", () => {
    const given = Buffer.from(signCertificate(content, ed25519.privateKey));
    const cert = parseCertificate(given);
    given.fill(0);
    verifyCertificateSignature(cert);
  });

  const mistakes: [string, Partial<CertificateContent>][] = [
    ["a nonce of 31 bytes", { nonce: nonce.subarray(1) }],
    ["no principals, which some take for any", { validPrincipals: [] }],
    ["257 principals", { validPrincipals: new Array(257).fill("a") }],
    ["an empty principal", { validPrincipals: [""] }],
    ["a principal with a comma", { validPrincipals: ["a,b"] }],
    ["a principal with a line end", { validPrincipals: ["a\nb"] }],
    ["a principal with a space", { validPrincipals: ["a b"] }],
    ["a key id with a line end", { keyId: "a\nb" }],
    ["a key id with a NUL", { keyId: "a\0" }],
    ["a key id of 2 KB", { keyId: "a".repeat(2048) }],
    ["an empty validity", { validAfter: 5, validBefore: 5 }],
    ["a negative time", { validAfter: -1 }],
    ["half a second", { validAfter: 0.5 }],
    ["no time", { validAfter: Number.NaN }],
    ["a serial of 65 bits", { serial: 1n << 64n }],
    ["a negative serial", { serial: -1n }],
    ["an option without a name", { extensions: new Map([["", nonce]]) }],
    ["an option with a space", { criticalOptions: new Map([["a b", "c"]]) }],
    ["an option with a NUL in it", { criticalOptions: new Map([["force-command", "a\0b"]]) }],
    ["more than 64 KB", { extensions: new Map([["a@b", new Uint8Array(65500)]]) }],
  ];
  for (const [what, part] of mistakes) {
    it(`are not signed with ${what}`, () => {
      assert.throws(() => signCertificate({ ...content, ...part }, ed25519.privateKey), TypeError);
    });
  }

  it("are not signed by a public key", () => {
    assert.throws(() => signCertificate(content, ed25519.publicKey.key), TypeError);
  });
});
