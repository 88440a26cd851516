import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PolicyStore } from "@sallyport/agent/policy/policy-store.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import { Bundle, type Lease } from "@sallyport/core/policy/bundle.ts";
import { evaluateLogin } from "@sallyport/core/policy/evaluate.ts";
import { RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import { signDocument, verifyBundle, verifyLease } from "@sallyport/core/policy/signed-document.ts";
import fc from "fast-check";
import {
  HOUR,
  id,
  MEMBER,
  makeEngagement,
  makeRevocation,
  makeScenario,
  NOW,
} from "../unit/core/policy/scenario.ts";
import { fuzz, RUNS, refusalOr, timeLimit } from "./support/fuzz.ts";
import { bundleOfLogin } from "./support/login.ts";
import { makeMemoryDirectory } from "./support/memory-directory.ts";
import { edits, mutate } from "./support/mutate.ts";

const HOST = id("hst", "1");
const policyKey = generateKeyPairSync("ed25519").privateKey;
const strangersKey = generateKeyPairSync("ed25519").privateKey;
const keys: Trust["policyKeys"] = [
  { kty: "OKP", crv: "Ed25519", x: policyKey.export({ format: "jwk" }).x ?? "", kid: "k1" },
];
const lease: Lease = {
  v: 1,
  hostId: HOST,
  bundleVersion: 7,
  revocationSequence: 0,
  issuedAt: NOW,
  leaseUntil: NOW + 2 * HOUR,
};
const encode = (text: string) => Buffer.from(text).toString("base64url");

/** A value of any kind in place of one of the bundle's own, anywhere in it. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    "",
    "x",
    0,
    -1,
    1.5,
    2 ** 53,
    1e300,
    [],
    {},
    "0.0.0.0/0",
    "::/0",
    "24:00",
  ),
  fc.constantFrom<unknown>(
    "Europe/Berlin",
    "none",
    "shell",
    MEMBER,
    HOST,
    NOW,
    NOW + HOUR,
    "x".repeat(5000),
    [MEMBER],
  ),
  fc.jsonValue({ maxDepth: 2 }),
);
const change = fc.record({
  path: fc.array(fc.nat(30), { minLength: 1, maxLength: 6, size: "max" }),
  value,
  how: fc.nat(4),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** A document with such changes made: a member replaced, removed, added or doubled. */
function altered(document: object, changes: readonly Change[]): unknown {
  const copy = structuredClone(document) as unknown;
  for (const { path, value: with_, how } of changes) {
    let at = copy as Record<string, unknown>;
    for (const [depth, step] of path.entries()) {
      const names = Object.keys(at);
      const name = names[step % Math.max(1, names.length)] ?? "new";
      const next = at[name];
      if (depth < path.length - 1 && typeof next === "object" && next !== null) {
        at = next as Record<string, unknown>;
        continue;
      }
      if (how === 0) delete at[name];
      else if (how === 1) at[`${name}2`] = with_;
      else if (how === 2 && Array.isArray(at)) at.push(structuredClone(next));
      else at[name] = with_;
      break;
    }
  }
  return copy;
}

function signText(header: object, payload: string, key: KeyObject): string {
  const input = `${encode(JSON.stringify(header))}.${encode(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString("base64url")}`;
}

describe("fuzz: bundles and leases", function () {
  this.timeout(timeLimit());
  let directory: string;
  let [bundleText, leaseText] = ["", ""];
  const bundle = {
    ...bundleOfLogin(),
    engagements: [
      Bundle.shape.engagements.element.parse(makeEngagement()),
      Bundle.shape.engagements.element.parse(
        makeEngagement({
          id: id("eng", "2"),
          hours: { timeZone: "Europe/Berlin", windows: [{ days: ["wed"], from: "08:00", to: "18:00" }] },
          sources: ["192.0.2.0/24", "2001:db8::/32"],
          personal: { groups: ["dba"], home: "archive" },
          approval: { rule: "activation", approved: true },
        }),
      ),
    ],
    revocations: [makeRevocation("session", "ses_x")],
    revocationSequence: 1,
  };
  before(async () => {
    directory = makeMemoryDirectory();
    bundleText = await signDocument(bundle, "sallyport-bundle", "k1", policyKey);
    leaseText = await signDocument(lease, "sallyport-lease", "k1", policyKey);
  });
  after(() => rmSync(directory, { recursive: true }));

  it("are not all refused: the ones that the cases are made from are taken", async () => {
    assert.deepEqual(await verifyBundle(bundleText, keys), bundle);
    assert.deepEqual(await verifyLease(leaseText, keys), lease);
  });

  it("that were changed are refused with a code, or say what was signed", async () => {
    await fuzz(fc.tuple(edits, fc.nat(5)), async ([list, how]) => {
      const text = how % 2 === 0 ? bundleText : leaseText;
      const parts = text.split(".");
      const part = Math.min(2, how >> 1);
      if (how < 4)
        parts[part] = mutate(Buffer.from(parts[part] ?? "", "base64url"), list).toString("base64url");
      const jws = how < 4 ? parts.join(".") : mutate(Buffer.from(text), list).toString("latin1");
      for (const read of [verifyBundle, verifyLease]) {
        const result = await refusalOr<unknown>(() => read(jws, keys));
        if ("code" in result) assert.equal(result.code, "bundle-bad-signature");
        else assert.deepEqual(result.value, how % 2 === 0 ? bundle : lease);
      }
    });
  });

  it("are taken only when the pinned key signed them, with their own type, and in the form that they have", async () => {
    const header = fc.record(
      {
        alg: fc.constantFrom("EdDSA", "EdDSA", "EdDSA", "Ed25519", "none", "HS256", "ES256"),
        typ: fc.constantFrom("sallyport-bundle", "sallyport-bundle", "sallyport-lease", "JWT"),
        kid: fc.constantFrom<unknown>("k1", "k1", "k1", "k2", "", null, 1, "__proto__"),
        crit: fc.constantFrom<unknown>(["b64"], ["exp"], [], null),
        b64: fc.boolean(),
        jwk: fc.constant(strangersKey.export({ format: "jwk" })),
      },
      { requiredKeys: ["alg", "typ", "kid"] },
    );
    const right = fc.constant({ alg: "EdDSA", typ: "sallyport-bundle", kid: "k1" });
    const payload = fc.oneof(
      fc.array(change, { maxLength: 2 }).map((list) => JSON.stringify(altered(bundle, list))),
      fc.array(change, { maxLength: 2 }).map((list) => JSON.stringify(altered(lease, list))),
      fc.string({ maxLength: 40 }),
    );
    let taken = 0;
    await fuzz(fc.tuple(fc.oneof(header, right), payload, fc.nat(5)), async ([head, text, signer]) => {
      const jws = signText(head, text, signer === 0 ? strangersKey : policyKey);
      const result = await refusalOr(() => verifyBundle(jws, keys));
      if ("code" in result) return assert.equal(result.code, "bundle-bad-signature");
      taken++;
      assert.ok(signer !== 0 && head.alg === "EdDSA" && head.typ === "sallyport-bundle" && head.kid === "k1");
      assert.deepEqual(Bundle.parse(JSON.parse(text)), result.value);
    });
    assert.ok(taken > RUNS / 100, `only ${taken} were taken`);
  });

  it("that pass can be judged by, whatever they say: a decision and never an error", async () => {
    const instant = fc.constantFrom(NOW, NOW - HOUR, NOW + 365 * 24 * HOUR, 0);
    const from = fc.constantFrom("192.0.2.7", "::1", "::ffff:192.0.2.7", null, "fe80::1%eth0", "nonsense");
    const list = fc.array(change, { minLength: 1, maxLength: 3 });
    let [judged, admitted] = [0, 0];
    const { request, condition } = makeScenario();
    await fuzz(fc.tuple(list, instant, from), ([changes, now, sourceAddress]) => {
      const parsed = Bundle.safeParse(altered(bundle, changes));
      if (!parsed.success) return;
      judged++;
      const identity = {
        ...request.identity,
        token: { ...request.identity.token, issuer: "https://idp.example/tenant-a" },
      };
      const decision = evaluateLogin(
        { ...request, identity, now, sourceAddress },
        {
          ...condition,
          bundle: parsed.data,
          leaseUntil: now + 1,
          revocations: new RevocationIndex(parsed.data.revocations),
        },
      );
      if (decision.outcome !== "admit") return;
      admitted++;
      const { engagement } = decision;
      assert.ok(engagement.members.includes(decision.member.id));
      assert.ok(engagement.start <= now && now < engagement.end);
      assert.ok(engagement.ended === null || now < engagement.ended.at);
      assert.ok(engagement.approval.rule === "none" || engagement.approval.approved);
    });
    assert.ok(judged > RUNS / 50, `only ${judged} were judged`);
    assert.ok(admitted > RUNS / 100, `only ${admitted} were admitted`);
  });

  it("in damaged files load as what was signed, or not at all, and the error has a code", async () => {
    const path = join(directory, "bundle.jws");
    const revocations = JSON.stringify([{ ...makeRevocation("member", MEMBER, 2), id: id("rev", "2") }]);
    const which = fc.nat(2);
    await fuzz(
      fc.tuple(edits, which, fc.boolean()),
      async ([list, file, pushed]) => {
        const text = `${bundleText}\n${leaseText}\n`;
        writeFileSync(path, file === 0 ? mutate(Buffer.from(text), list) : text);
        if (pushed || file === 1)
          writeFileSync(
            `${path}.revocations`,
            file === 1 ? mutate(Buffer.from(revocations), list) : revocations,
          );
        else rmSync(`${path}.revocations`, { force: true });
        const store = new PolicyStore(path, HOST, keys);
        const loaded = await refusalOr(() => store.load());
        if ("code" in loaded) assert.match(loaded.code, /^(bundle-|message-)/);
        if (store.bundle !== null) assert.deepEqual(store.bundle, bundle);
        assert.ok(store.leaseUntil <= lease.leaseUntil);
        if (file !== 1 && pushed && store.bundle !== null) assert.equal(store.revocations.sequence, 2);
        // Revocations that cannot be read might be anything: nobody is admitted without them.
        if (file === 1 && "code" in loaded) assert.equal(store.bundle, null);
      },
      { runs: RUNS / 2 },
    );
  });
});
