import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import type { Lease } from "@sallyport/core/policy/bundle.ts";
import { signDocument, verifyBundle, verifyLease } from "@sallyport/core/policy/signed-document.ts";
import { CompactSign, FlattenedSign } from "jose";
import { HOUR, id, makeBundle, NOW } from "./scenario.ts";

const policyKey = generateKeyPairSync("ed25519").privateKey;
const otherKey = generateKeyPairSync("ed25519").privateKey;
const rsaKey = generateKeyPairSync("rsa", { modulusLength: 2048 });

function pinned(key: KeyObject, kid: string): Trust["policyKeys"][number] {
  return { kty: "OKP", crv: "Ed25519", x: key.export({ format: "jwk" }).x ?? "", kid };
}
const keys = [pinned(generateKeyPairSync("ed25519").privateKey, "old"), pinned(policyKey, "k1")];

const bundle = makeBundle();
const lease: Lease = {
  v: 1,
  hostId: id("hst", "1"),
  bundleVersion: 7,
  revocationSequence: 0,
  issuedAt: NOW,
  leaseUntil: NOW + HOUR,
};

function signed(
  payload: unknown,
  header: Record<string, unknown> = {},
  key: KeyObject = policyKey,
): Promise<string> {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  return new CompactSign(Buffer.from(text))
    .setProtectedHeader({ alg: "EdDSA", typ: "sallyport-bundle", kid: "k1", ...header })
    .sign(key);
}

const refusal = { name: "SallyportError", code: "bundle-bad-signature" };

describe("signed documents", () => {
  it("come back as they were signed", async () => {
    assert.deepEqual(
      await verifyBundle(await signDocument(bundle, "sallyport-bundle", "k1", policyKey), keys),
      bundle,
    );
    assert.deepEqual(
      await verifyLease(await signDocument(lease, "sallyport-lease", "k1", policyKey), keys),
      lease,
    );
  });

  it("are refused in one another's place", async () => {
    const bundleJws = await signDocument(bundle, "sallyport-bundle", "k1", policyKey);
    const leaseJws = await signDocument(lease, "sallyport-lease", "k1", policyKey);
    await assert.rejects(verifyLease(bundleJws, keys), refusal);
    await assert.rejects(verifyBundle(leaseJws, keys), refusal);
  });

  it("are refused when the type says one and the payload is the other", async () => {
    await assert.rejects(verifyLease(await signed(bundle, { typ: "sallyport-lease" }), keys), refusal);
    await assert.rejects(verifyBundle(await signed(lease), keys), refusal);
  });

  const rows: [what: string, jws: () => Promise<string>][] = [
    ["no type", () => signed(bundle, { typ: undefined })],
    ["another type", () => signed(bundle, { typ: "JWT" })],
    ["a type in capitals", () => signed(bundle, { typ: "SALLYPORT-BUNDLE" })],
    ["a key that is not pinned", () => signed(bundle, { kid: "k2" }, otherKey)],
    ["another pinned key's name", () => signed(bundle, { kid: "old" })],
    ["a pinned key's name and another key", () => signed(bundle, {}, otherKey)],
    ["no key's name", () => signed(bundle, { kid: undefined })],
    ["a key of its own in the header", () => signed(bundle, { jwk: pinned(otherKey, "k1") }, otherKey)],
    ["RS256", () => signed(bundle, { alg: "RS256" }, rsaKey.privateKey)],
    [
      "a critical header nobody knows",
      async () =>
        (await signed(bundle)).replace(
          /^[^.]+/,
          encode({ alg: "EdDSA", typ: "sallyport-bundle", kid: "k1", crit: ["x"], x: 1 }),
        ),
    ],
    [
      "alg none and no signature",
      async () => `${encode({ alg: "none", typ: "sallyport-bundle", kid: "k1" })}.${encode(bundle)}.`,
    ],
    ["its signature cut off", async () => (await signed(bundle)).replace(/[^.]+$/, "")],
    [
      "another payload under the signature",
      async () => (await signed(bundle)).replace(/\.[^.]+\./, `.${encode({ ...bundle, version: 99 })}.`),
    ],
    ["trailing data", async () => `${await signed(bundle)}.x`],
    ["no JSON", () => signed("no JSON")],
    ["a member too many", () => signed({ ...bundle, admin: true })],
    ["a member too few", () => signed({ ...bundle, leaseUntil: undefined })],
    ["a later version of the format", () => signed({ ...bundle, v: 2 })],
    [
      "an account with a line end",
      () => signed({ ...bundle, engagements: [{ ...bundle.engagements[0], accounts: ["root\n"] }] }),
    ],
    ["nothing", async () => ""],
    ["JSON serialisation", async () => JSON.stringify(await flattened())],
  ];
  for (const [what, jws] of rows) {
    it(`are refused with ${what}`, async () => assert.rejects(verifyBundle(await jws(), keys), refusal));
  }

  it("are refused in words fit for a log", async () => {
    for (const jws of [await signed(bundle, { typ: "\u001b[2J\n" }), await signed({ "\u001b[2J\n": 1 })]) {
      await assert.rejects(verifyBundle(jws, keys), (error: Error) => !/\p{Cc}/u.test(error.message));
    }
  });

  it("are refused when no key is pinned", async () => {
    await assert.rejects(verifyBundle(await signed(bundle), []), refusal);
  });

  it("are refused with any one bit flipped", async () => {
    const good = await signDocument(lease, "sallyport-lease", "k1", policyKey);
    assert.ok(await verifyLease(good, keys));
    const header = good.indexOf(".");
    // The last character of a part holds unused bits, which base64url decoders pass over; the payload has some too.
    for (let at = 0; at < good.length - 1; at++) {
      if (at === header - 1 || good[at + 1] === ".") continue;
      const flipped = `${good.slice(0, at)}${good[at] === "A" ? "B" : "A"}${good.slice(at + 1)}`;
      await assert.rejects(verifyLease(flipped, keys), refusal, `at ${at}`);
    }
  });
});

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function flattened() {
  return new FlattenedSign(Buffer.from(JSON.stringify(bundle)))
    .setProtectedHeader({ alg: "EdDSA", typ: "sallyport-bundle", kid: "k1" })
    .sign(policyKey);
}
