import assert from "node:assert/strict";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { addCertificate } from "@sallyport/control-plane/database/certificates.ts";
import { findEngagement } from "@sallyport/control-plane/database/engagements.ts";
import { addHost } from "@sallyport/control-plane/database/hosts.ts";
import { listMembers, saveMember } from "@sallyport/control-plane/database/members.ts";
import { listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import { type RevocationNeeds, revoke } from "@sallyport/control-plane/revocations/revoke.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Revocation, RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { makeWorld, policyText, type World } from "./support/world.ts";

const KEY = `SHA256:${"a".repeat(43)}`;

describe("revoking", () => {
  let world: World;
  let announced: Revocation[];
  let hosts: RevocationNeeds["hosts"];
  let published: number;
  const config = { issuers: [] };
  const hostId = "hst_00000000000000000000000001";
  const request = (level: RevocationLevel, target: string) =>
    revoke({ ...world, config, hosts }, { level, target, reason: "why", signInsOnly: false }, "sec");

  beforeEach(async () => {
    world = await makeWorld();
    announced = [];
    published = 0;
    hosts = {
      connected: async () => new Set([hostId]),
      revoke: async (entries) => {
        // Durable before it is told: whoever hears of it can rely on it.
        const stored = (await listRevocations(world.db)).map(({ sequence }) => sequence);
        for (const entry of entries) assert.ok(stored.includes(entry.sequence));
        announced.push(...entries);
        return [{ hostId, acknowledged: true, endedSessions: ["ses_1"] }];
      },
      publishBundles: async () => {
        published += 1;
      },
    };
    await addHost(world.db, {
      id: hostId,
      name: "web-1",
      address: "a",
      port: 22,
      labels_json: "{}",
      host_key: "x",
      enrolled_at: 0,
    });
    await applyPolicy(world.db, world.environment, { text: policyText(), file: "p" });
  });
  afterEach(() => world.db.destroy());

  it("numbers entries without gaps, also when many come at once", async () => {
    await Promise.all(Array.from({ length: 20 }, () => request("key", KEY)));
    const sequences = (await listRevocations(world.db)).map(({ sequence }) => sequence);
    assert.deepEqual(
      sequences,
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });

  it("sends bundles only where an engagement was ended", async () => {
    await request("key", KEY);
    await request("member", "dana@vendor.test");
    assert.equal(published, 0);
    await request("engagement", "web-work");
    await request("engagement", "web-work");
    assert.equal(published, 1);
  });

  it("is stored and answered though the database is away when bundles are to follow", async () => {
    hosts.publishBundles = async () => {
      throw new Error("Connection terminated unexpectedly");
    };
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    // Mocha's own would end the run.
    const others = process.rawListeners("unhandledRejection") as (() => void)[];
    process.removeAllListeners("unhandledRejection").on("unhandledRejection", note);
    await request("engagement", "web-work");
    await new Promise(setImmediate);
    process.removeAllListeners("unhandledRejection");
    for (const other of others) process.on("unhandledRejection", other);
    assert.deepEqual(unhandled, [], "it would have ended the control plane");
    assert.equal((await listRevocations(world.db)).length, 1);
  });

  it("answers who heard of it and what it ended", async () => {
    const id = newId(world.environment, "hst");
    await addHost(world.db, {
      id,
      name: "web-2",
      address: "a",
      port: 22,
      labels_json: "{}",
      host_key: "y",
      enrolled_at: 0,
    });
    const answer = await request("key", KEY);
    assert.deepEqual(answer.hosts, [
      {
        ...{ host: "web-1", acknowledged: true, endedSessions: ["ses_1"] },
        ...{ connected: true, leaseUntil: null, standing: "has" },
        acknowledgedAt: world.time.now,
      },
      {
        ...{ host: "web-2", acknowledged: false, endedSessions: [] },
        ...{ connected: false, leaseUntil: null, standing: "no-lease" },
        acknowledgedAt: null,
      },
    ]);
    assert.deepEqual([answer.sequence, answer.level, answer.target], [1, "key", KEY]);
    const [acknowledged, revoked] = await listAuditEvents(world.db, 2);
    assert.deepEqual([revoked?.type, acknowledged?.type], ["revoked", "revocation-acknowledged"]);
    assert.deepEqual(JSON.parse(acknowledged?.data_json ?? ""), {
      revocations: [answer.id],
      ...{ hosts: 2, acknowledged: 1, missing: ["web-2"] },
      ended: [{ host: "web-1", sessions: ["ses_1"] }],
    });
  });

  it("finds a member by id, e-mail or name", async () => {
    const [dana] = await listMembers(world.db);
    for (const target of [dana?.id ?? "", "DANA@vendor.test", "Dana Doe"]) {
      assert.equal((await request("member", target)).target, dana?.id);
    }
  });

  it("does not guess between two members of one name", async () => {
    const created = { account: null, vendor: "vendor", created_at: 0, email: "other@vendor.test" };
    await saveMember(world.db, { id: newId(world.environment, "mem"), name: "Dana Doe", ...created });
    await assert.rejects(request("member", "Dana Doe"), /2 members are called Dana Doe/);
    assert.deepEqual(announced, []);
  });

  it("ends an engagement, and says so to hosts as a revocation too", async () => {
    const engagement = await findEngagement(world.db, "web-work");
    const answer = await request("engagement", "web-work");
    assert.equal(answer.target, engagement?.id);
    assert.equal((await findEngagement(world.db, "web-work"))?.ended?.reason, "why");
    await request("engagement", "web-work");
    assert.equal((await listRevocations(world.db)).length, 2);
  });

  it("revokes the key of a certificate as well, so that nothing that it was renewed to goes on", async () => {
    const [dana] = await listMembers(world.db);
    const identity = { member_id: dana?.id ?? "", issuer: "https://i", subject: "s", key_fingerprint: KEY };
    await addCertificate(world.db, {
      serial: "7",
      ...identity,
      signed_in_at: 0,
      valid_after: 0,
      valid_before: 9,
      issued_at: 1,
    });
    const answer = await request("certificate", "7");
    assert.deepEqual([answer.level, answer.target], ["certificate", "7"]);
    assert.deepEqual(
      announced.map(({ level, target }) => [level, target]),
      [
        ["certificate", "7"],
        ["key", KEY],
      ],
    );
  });

  const unknown: [level: RevocationLevel, target: string][] = [
    ["session", "ses_00000000000000000000000009"],
    ["certificate", "12345"],
    ["key", "SHA256:short"],
    ["member", "nobody"],
    ["engagement", "nothing"],
    // Names that only look alike are others'.
    ["vendor", "vendor2"],
    ["vendor", "Vendor"],
    ["vendor", "vendor "],
    ["issuer", "https://idp.test/"],
    ["identity", "https://idp.test nobody"],
    ["identity", "dana@vendor.test"],
  ];
  for (const [level, target] of unknown) {
    it(`stores nothing for a ${level} that is unknown`, async () => {
      await assert.rejects(request(level, target), (error) => isSallyportError(error, "not-found"));
      assert.deepEqual(await listRevocations(world.db), []);
    });
  }
});
