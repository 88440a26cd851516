import assert from "node:assert/strict";
import { listEngagements } from "@sallyport/control-plane/database/engagements.ts";
import { listMembers } from "@sallyport/control-plane/database/members.ts";
import { listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import { revocationsForOlderHosts } from "@sallyport/control-plane/policy/for-older-hosts.ts";
import { identityTarget, type RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { ISSUER, OTHER_ISSUER, type RevocationWorld, revocationWorld } from "../support/revocations.ts";

describe("revocations for hosts that do not keep the list apart", () => {
  let world: RevocationWorld;
  beforeEach(async () => {
    world = await revocationWorld();
  });
  afterEach(() => world.db.destroy());

  const told = async () => {
    const { db } = world;
    const policy = { members: await listMembers(db), engagements: await listEngagements(db) };
    const entries = await revocationsForOlderHosts(db, policy, await listRevocations(db));
    assert.ok(entries.every((entry) => !("before" in entry)));
    return entries.map(({ level, target }) => [level, target]);
  };
  const engagementId = async () => (await listEngagements(world.db))[0]?.id;
  const serials = async (subject: string) => {
    const query = world.db.selectFrom("certificates").select("serial").where("subject", "=", subject);
    return (await query.orderBy("serial").execute()).map(({ serial }) => ["certificate", serial]);
  };

  const key = `SHA256:${"k".repeat(43)}`;
  const rows: [what: string, level: RevocationLevel, target: string, means: () => Promise<unknown>][] = [
    ["what they know, as it is", "key", key, async () => [["key", key]]],
    [
      "a vendor, by its members and engagements",
      "vendor",
      "vendor",
      async () => [
        ["member", world.dana],
        ["engagement", await engagementId()],
      ],
    ],
    ["an identity, by its member", "identity", `${ISSUER} dana`, async () => [["member", world.dana]]],
    [
      "an IdP, by the members that it has",
      "issuer",
      ISSUER,
      async () => [
        ["member", world.dana],
        ["member", world.rita],
      ],
    ],
  ];
  for (const [what, level, target, means] of rows) {
    it(`are ${what}`, async () => {
      await world.revoke(level, target);
      assert.deepEqual((await told()).toSorted(), ((await means()) as string[][]).toSorted());
    });
  }

  it("are the certificates of earlier sign-ins where only these are meant", async () => {
    await world.signIn({});
    await world.signIn({ issuer: OTHER_ISSUER, subject: "d-4711" });
    world.time.now += 10;
    await world.revoke("identity", `${ISSUER} dana`, true);
    const earlier = await serials("dana");
    world.time.now += 10;
    await world.signIn({});
    assert.deepEqual(await told(), earlier);
  });

  it("are no more than that once access was given back", async () => {
    await world.signIn({});
    await world.revoke("vendor", "vendor");
    await world.lift("vendor", "vendor");
    assert.deepEqual(await told(), await serials("dana"));
    assert.equal(identityTarget(ISSUER, "dana").length, 43);
  });
});
