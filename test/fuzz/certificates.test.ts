import assert from "node:assert/strict";
import {
  BINDING_EXTENSION,
  ID_TOKEN_EXTENSION,
  PRINCIPAL,
} from "@sallyport/core/admission/certificate-extensions.ts";
import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import {
  parseCertificate,
  signCertificate,
  verifyCertificateSignature,
} from "@sallyport/core/ssh/certificate.ts";
import { parsePublicKeyBlob } from "@sallyport/core/ssh/public-key.ts";
import { parseSignature, signSsh } from "@sallyport/core/ssh/signature.ts";
import { SshReader, SshWriter } from "@sallyport/core/ssh/wire.ts";
import fc from "fast-check";
import { NOW } from "../unit/core/admission/identity-provider.ts";
import { ca, otherCa, userKey } from "../unit/core/admission/login-certificate.ts";
import { everyKey } from "../unit/core/ssh/keys.ts";
import { fuzz, RUNS, refusalOr, timeLimit } from "./support/fuzz.ts";
import { admits, type GoodLogin, makeLogin, strangersKey } from "./support/login.ts";
import { awkwardLength, type Edit, edits, mutate } from "./support/mutate.ts";

/** Changes one of the 32-bit lengths that stand before every string; `field` counts them. */
const lengthEdit = fc.record({ field: fc.nat(24), value: awkwardLength });

/** Where the strings of a certificate begin, the nested ones too. */
function lengthOffsets(blob: Uint8Array): number[] {
  const offsets: number[] = [];
  for (let at = 0; at + 4 <= blob.length; at++) {
    const length = Buffer.from(blob).readUInt32BE(at);
    if (length > 0 && length <= blob.length - at - 4) offsets.push(at);
  }
  return offsets;
}

describe("fuzz: SSH certificates", function () {
  this.timeout(timeLimit());
  let good: GoodLogin;
  let lengths: number[];
  let signedLength: number;
  before(async () => {
    good = await makeLogin();
    lengths = lengthOffsets(good.certificate);
    signedLength = parseCertificate(good.certificate).signedBytes.length;
  });

  it("are not all refused: the one that the cases are made from is admitted", async () => {
    assert.equal(await admits(good.certificate, good.context), "admit");
  });

  it("that are noise are refused with a code", async () => {
    const noise = fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 600, size: "max" }));
    await fuzz(noise, async ([keep, tail]) => {
      const head = keep % 2 === 0 ? 0 : keep % good.certificate.length;
      const blob = Buffer.concat([good.certificate.subarray(0, head), tail]);
      if (Buffer.from(good.certificate).equals(blob)) return;
      assert.notEqual(await admits(blob, good.context), "admit");
    });
  });

  it("that were changed are refused with a code, unless every signed byte is as it was", async () => {
    const change = fc.oneof(
      { weight: 3, arbitrary: edits.map((list) => ({ list, field: null, value: null })) },
      { weight: 1, arbitrary: lengthEdit.map(({ field, value }) => ({ list: [] as Edit[], field, value })) },
    );
    await fuzz(change, async ({ list, field, value }) => {
      const blob = mutate(good.certificate, list);
      const at = field === null ? undefined : lengths[field % lengths.length];
      if (at !== undefined && value !== null) blob.set(value, at);
      if ((await admits(blob, good.context)) !== "admit") return;
      const signed = Buffer.from(good.certificate.subarray(0, signedLength));
      assert.ok(signed.equals(blob.subarray(0, signedLength)), "admitted with other signed bytes");
    });
  });

  it("that a CA of any key type signed verify only with the bytes that it signed", async () => {
    const each = everyKey.map((pair) =>
      signCertificate(
        {
          certType: "user",
          publicKey: pair.publicKey,
          nonce: new Uint8Array(32),
          serial: 7n,
          keyId: "id",
          validPrincipals: ["anna"],
          validAfter: 0,
          validBefore: 100,
          extensions: new Map([["permit-pty", new Uint8Array()]]),
        },
        pair.privateKey,
      ),
    );
    await fuzz(fc.tuple(fc.nat(each.length - 1), edits), async ([which, list]) => {
      const original = each[which] ?? new Uint8Array();
      const blob = mutate(original, list);
      const result = await refusalOr(() => {
        const certificate = parseCertificate(blob);
        verifyCertificateSignature(certificate);
        return certificate;
      });
      if ("code" in result) return assert.match(result.code, /^ssh-/);
      assert.deepEqual(result.value.signedBytes, parseCertificate(original).signedBytes);
    });
  });

  /*
   * The CA's own signature over anything: the control plane gone bad. What it cannot do is admit somebody whom the
   * IdP's token does not name, or another key than the one that the token commits to.
   */
  it("that the CA signed, whatever they say, admit only the person of the token with the bound key", async () => {
    const name = fc.constantFrom(
      ID_TOKEN_EXTENSION,
      BINDING_EXTENSION,
      "permit-pty",
      "zzz@x",
      "a",
      "fresh-id-token@sallyport.dev",
    );
    const kind = fc.constantFrom(
      "token",
      "binding",
      "empty",
      "noise",
      "wrapped token",
      "edited token",
      "edited binding",
    );
    const extension = fc.record({ name, kind, list: edits, noise: fc.uint8Array({ maxLength: 60 }) });
    const shape = fc.record({
      ca: fc.constantFrom("ca", "ca", "ca", "other"),
      key: fc.constantFrom("user", "user", "user", "stranger"),
      type: fc.constantFrom(1, 1, 1, 1, 2, 0, 3),
      principals: fc.oneof(
        { weight: 4, arbitrary: fc.constant([PRINCIPAL]) },
        { weight: 1, arbitrary: fc.array(fc.constantFrom(PRINCIPAL, "root", ""), { maxLength: 3 }) },
      ),
      after: fc.constantFrom(0, NOW - 60, NOW - 60, NOW + 61, 2 ** 53),
      before: fc.constantFrom(NOW, NOW + 60, NOW + 60, NOW + 3600, 2 ** 53 - 1),
      critical: fc.oneof(
        { weight: 4, arbitrary: fc.constant([] as string[]) },
        {
          weight: 1,
          arbitrary: fc.array(fc.constantFrom("force-command", "verify-required", "x"), { maxLength: 3 }),
        },
      ),
      extensions: fc.oneof(
        { weight: 1, arbitrary: fc.array(extension, { maxLength: 5 }) },
        {
          weight: 2,
          arbitrary: fc.tuple(extension, fc.boolean()).map(([one, usual]) => [
            { ...one, name: BINDING_EXTENSION, kind: usual ? "binding" : one.kind },
            { ...one, name: ID_TOKEN_EXTENSION, kind: usual ? "token" : "edited token" },
          ]),
        },
      ),
      tail: fc.option(fc.uint8Array({ minLength: 1, maxLength: 5 }), { freq: 10 }),
    });
    const contentOf = ({ kind: what, list, noise }: { kind: string; list: Edit[]; noise: Uint8Array }) => {
      const [token, binding] = [Buffer.from(good.token), Buffer.from(JSON.stringify(good.binding))];
      if (what === "token") return token;
      if (what === "binding") return binding;
      if (what === "wrapped token") return new SshWriter().string(token).bytes();
      if (what === "edited token") return mutate(token, list);
      if (what === "edited binding") return mutate(binding, list);
      return what === "empty" ? new Uint8Array() : noise;
    };
    let admitted = 0;
    await fuzz(shape, async (given) => {
      const signer = given.ca === "ca" ? ca : otherCa;
      const key = given.key === "user" ? userKey : strangersKey;
      const options = new SshWriter();
      for (const one of given.extensions)
        options.text(one.name).string(new SshWriter().string(contentOf(one)).bytes());
      const critical = new SshWriter();
      for (const one of given.critical) critical.text(one).string(new Uint8Array());
      const principals = new SshWriter();
      for (const one of given.principals) principals.text(one);
      const keyFields = new SshReader(key.blob);
      keyFields.string();
      const issuing = parseCertificate(good.certificate).signatureKey;
      const signed = new SshWriter()
        .text("ssh-ed25519-cert-v01@openssh.com")
        .string(new Uint8Array(32))
        .raw(keyFields.rest())
        .uint64(1n)
        .uint32(given.type)
        .text("id")
        .string(principals.bytes())
        .uint64(BigInt(given.after))
        .uint64(BigInt(given.before))
        .string(critical.bytes())
        .string(options.bytes())
        .string(new Uint8Array())
        .string(issuing.blob)
        .raw(given.tail ?? new Uint8Array())
        .bytes();
      const blob = new SshWriter().raw(signed).string(signSsh(signer, signed)).bytes();
      if ((await admits(blob, good.context)) !== "admit") return;
      admitted++;
      assert.deepEqual([given.ca, given.key, given.type, given.critical], ["ca", "user", 1, []]);
      assert.deepEqual(given.principals, [PRINCIPAL]);
      assert.ok(given.after <= NOW + 60 && given.before > NOW);
      const { extensions } = parseCertificate(blob);
      const token = Buffer.from(extensions.get(ID_TOKEN_EXTENSION) ?? []).toString("latin1");
      assert.equal(signedPart(token), signedPart(good.token));
      const binding = JSON.parse(Buffer.from(extensions.get(BINDING_EXTENSION) ?? []).toString());
      assert.equal(canonicalJson(binding), canonicalJson(good.binding));
    });
    assert.ok(admitted > RUNS / 1000, `only ${admitted} cases came far enough to be admitted`);
  });

  it("have public keys and signatures that are refused with a code, or read as they stand", async () => {
    const blobs = everyKey.map(({ publicKey }) => publicKey.blob);
    const data = Buffer.from("data");
    const signatures = everyKey.map(({ privateKey }) => signSsh(privateKey, data));
    await fuzz(fc.tuple(fc.nat(blobs.length - 1), edits), async ([which, list]) => {
      const key = await refusalOr(() => parsePublicKeyBlob(mutate(blobs[which] ?? new Uint8Array(), list)));
      if ("code" in key) assert.match(key.code, /^ssh-/);
      const pair = everyKey[which];
      if (pair === undefined) return;
      const signature = mutate(signatures[which] ?? new Uint8Array(), list);
      const read = await refusalOr(() => parseSignature(pair.publicKey, signature));
      if ("code" in read) assert.match(read.code, /^ssh-/);
    });
  });
});

function signedPart(token: string): string {
  return token.slice(0, token.lastIndexOf("."));
}
