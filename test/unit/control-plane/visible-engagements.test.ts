import assert from "node:assert/strict";
import { listEngagements } from "@sallyport/control-plane/database/engagements.ts";
import { listMembers } from "@sallyport/control-plane/database/members.ts";
import { visibleEngagements } from "@sallyport/control-plane/http/visible-engagements.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import { makeWorld, policyText, type World } from "./support/world.ts";

describe("engagements in sight", () => {
  let world: World;
  const other = policyText().replaceAll("dana@", "olga@").replaceAll("web-work", "db-work");
  const sight = { all: false, memberId: undefined, sponsor: undefined };

  before(async () => {
    world = await makeWorld();
    const { db, environment } = world;
    for (const text of [policyText(), other.replace("Dana@", "olga@")])
      await applyPolicy(db, environment, { text, file: "policy.yaml" });
  });
  after(() => world.db.destroy());

  const danasId = async () =>
    (await listMembers(world.db)).find(({ email }) => email === "dana@vendor.test")?.id;
  const names = async (changes: Partial<Parameters<typeof visibleEngagements>[1]>) =>
    (await visibleEngagements(world.db, { ...sight, ...changes }))
      .map(({ name }) => name as string)
      .toSorted();

  it("are one's own as a contractor, all for who sees all, and none for who is nobody", async () => {
    assert.deepEqual(await names({ memberId: await danasId() }), ["web-work"]);
    assert.deepEqual(await names({ all: true }), ["db-work", "web-work"]);
    assert.deepEqual(await names({}), []);
    assert.deepEqual(await names({ sponsor: "nobody@acme.test" }), []);
  });

  it("are read without those of others, which would take a contractor's every request as long as there are engagements", async () => {
    const { db } = world;
    await db.updateTable("engagements").set({ hosts_json: "null" }).where("name", "=", "db-work").execute();
    await assert.rejects(listEngagements(db), "reading it fails, so that who reads it is found out");
    assert.deepEqual(await names({ memberId: await danasId() }), ["web-work"]);
  });
});
