import assert from "node:assert/strict";
import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { RateLimit } from "@sallyport/control-plane/http/rate-limit.ts";
import { consumeChallenge, makeChallenge } from "@sallyport/control-plane/issuance/challenge.ts";
import { renewableUntil } from "@sallyport/control-plane/issuance/check-renewal.ts";
import { certificateValidity } from "@sallyport/control-plane/issuance/validity.ts";
import { IssuerKeys } from "@sallyport/control-plane/issuers/issuer-keys.ts";
import { trustedIssuer } from "@sallyport/control-plane/issuers/trusted-issuer.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { makeWorld } from "./support/world.ts";

const NOW = 1_800_000_000;

describe("validity of a certificate", () => {
  const running = (end: number) => ({ start: NOW - 10, end, ended: null }) as Engagement;
  const shorter = (certificateLifetime: number | null) =>
    ({ ...running(NOW + 9999), certificateLifetime }) as Engagement;
  const ended = { start: 0, end: NOW + 90_000, ended: { at: NOW - 5, by: "", reason: "" } } as Engagement;
  const later = { start: NOW + 10, end: NOW + 90_000, ended: null } as Engagement;
  const rows: [
    name: string,
    lifetime: number,
    tokenExpiresAt: number,
    engagements: Engagement[],
    expected: number,
  ][] = [
    ["the lifetime", 3600, NOW + 7200, [running(NOW + 9999)], 3600],
    ["the ID token", 3600, NOW + 100.7, [running(NOW + 9999)], 100],
    ["the latest engagement that runs", 3600, NOW + 7200, [running(NOW + 50), running(NOW + 70)], 70],
    [
      "what the strictest running engagement allows",
      3600,
      NOW + 7200,
      [shorter(900), shorter(null), shorter(60)],
      60,
    ],
    ["the lifetime, which no engagement prolongs", 3600, NOW + 7200, [shorter(7200)], 3600],
    [
      "the lifetime, whatever an engagement that is over allowed",
      3600,
      NOW + 7200,
      [running(NOW + 9999), { ...ended, certificateLifetime: 60 }],
      3600,
    ],
    ["5 minutes when all are over", 3600, NOW + 7200, [ended], 300],
    ["5 minutes when none has begun", 3600, NOW + 7200, [later], 300],
    ["5 minutes without any", 3600, NOW + 7200, [], 300],
  ];
  for (const [name, lifetime, tokenExpiresAt, engagements, expected] of rows) {
    it(`ends with ${name}`, () => {
      const validity = certificateValidity({ now: NOW, lifetime, tokenExpiresAt, engagements });
      assert.deepEqual(validity, { validAfter: NOW - 60, validBefore: NOW + expected });
    });
  }
});

describe("renewal of a sign-in", () => {
  const issuer = { renewal: true, signInLifetime: 3600 };
  const signIn = { issuedAt: NOW, authTime: NOW - 600, nonce: "n" };

  it("is counted from when the person proved who they are, as far as the IdP tells", () => {
    assert.equal(renewableUntil(issuer, signIn), NOW + 3000);
    assert.equal(renewableUntil(issuer, { ...signIn, authTime: null }), NOW + 3600);
    assert.equal(renewableUntil(issuer, { ...signIn, authTime: NOW + 60 }), NOW + 3600);
  });

  it("is off where the configuration says so, and for sign-ins that commit to no key", () => {
    assert.equal(renewableUntil({ ...issuer, renewal: false }, signIn), null);
    assert.equal(renewableUntil(issuer, { ...signIn, nonce: null }), null);
  });

  it("is pinned by hosts only where it is on", () => {
    const [on, off] = Configuration.shape.issuers
      .parse([
        { name: "A", issuer: "https://a.test", clientId: "c" },
        { name: "B", issuer: "https://b.test", clientId: "c", renewal: false },
      ])
      .map(trustedIssuer);
    assert.deepEqual([on?.maxSignInAge, off?.maxSignInAge], [43_200, undefined]);
    assert.ok(off !== undefined && !("maxSignInAge" in off));
  });
});

describe("challenge", () => {
  const unknown = (error: unknown) => isSallyportError(error, "challenge-unknown");

  it("is good once, for 10 minutes, and only if it is ours", async () => {
    const world = await makeWorld();
    const [first, second] = [await makeChallenge(world), await makeChallenge(world)];
    await consumeChallenge(world, first);
    await assert.rejects(consumeChallenge(world, first), unknown);
    await assert.rejects(consumeChallenge(world, "A".repeat(43)), unknown);
    world.time.now += 600;
    await assert.rejects(consumeChallenge(world, second), unknown);
    await world.db.destroy();
  });

  it("is good for one of two that use it at the same moment", async () => {
    const world = await makeWorld();
    const challenge = await makeChallenge(world);
    const results = await Promise.allSettled([
      consumeChallenge(world, challenge),
      consumeChallenge(world, challenge),
    ]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    await world.db.destroy();
  });
});

describe("rate limit", () => {
  it("lets a burst through, then a lasting rate, for each address by itself", () => {
    let now = 0;
    const limit = new RateLimit(() => now, { perSecond: 2, burst: 3 });
    const limited = (error: unknown) => isSallyportError(error, "rate-limited");
    for (let i = 0; i < 3; i++) limit.take("a");
    assert.throws(() => limit.take("a"), limited);
    limit.take("b");
    now += 500;
    limit.take("a");
    assert.throws(() => limit.take("a"), limited);
  });

  it("counts what is much work as much, and refuses nothing for good", () => {
    let now = 0;
    const limit = new RateLimit(() => now, { perSecond: 1, burst: 15 });
    const limited = (error: unknown) => isSallyportError(error, "rate-limited");
    limit.take("a", 10);
    assert.throws(() => limit.take("a", 10), limited);
    limit.take("a", 5);
    now += 15_000;
    limit.take("a", 100);
    assert.throws(() => limit.take("a"), limited);
  });
});

describe("keys of IdPs", () => {
  const issuers = Configuration.shape.issuers.parse([{ name: "A", issuer: "https://a.test", clientId: "c" }]);
  const key = (kid: string) => ({ kty: "RSA", kid });

  it("are fetched once for many, again for an unknown key, and not more often than every 10 s", async () => {
    let now = 1000;
    let fetched = 0;
    let keys = [key("one")];
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const source = new IssuerKeys({
      issuers,
      clock: () => now,
      log,
      fetch: async () => {
        fetched++;
        return { keys };
      },
    });
    await Promise.all([source.ready("https://a.test", "one"), source.ready("https://a.test", "one")]);
    assert.equal(fetched, 1);
    await source.ready("https://a.test", "one");
    await source.ready("https://a.test", "two");
    assert.equal(fetched, 1);
    now += 10_000;
    keys = [key("one"), key("two")];
    await source.ready("https://a.test", "two");
    assert.equal(fetched, 2);
    assert.equal(source.known("https://a.test")?.keys.length, 2);
  });

  it("stay in use while the IdP is away, and their absence is said", async () => {
    let isAway = true;
    let now = 0;
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const fetch = async () => {
      if (isAway) throw new Error("away");
      return { keys: [key("one")] };
    };
    const source = new IssuerKeys({ issuers, clock: () => now, log, fetch });
    await assert.rejects(source.ready("https://a.test", "one"), (error) =>
      isSallyportError(error, "issuer-unreachable"),
    );
    isAway = false;
    await source.ready("https://a.test", "one");
    isAway = true;
    now += 60_000;
    await source.ready("https://a.test", "two");
    assert.equal(source.known("https://a.test")?.keys.length, 1);
    await source.ready("https://unknown.test", "x");
  });
});
