import assert from "node:assert/strict";
import { expireRequests } from "@sallyport/control-plane/approvals/expire-requests.ts";
import { latestRequest, requestById } from "@sallyport/control-plane/database/approval-requests.ts";
import { addRevocation } from "@sallyport/control-plane/database/revocations.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { bundleContent } from "@sallyport/control-plane/policy/bundle-content.ts";
import { endEngagement } from "@sallyport/control-plane/policy/end-engagement.ts";
import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { type ApprovalWorld, approvalWorld, VENDOR } from "./support.ts";

describe("a request for approval", () => {
  let world: ApprovalWorld;
  beforeEach(async () => {
    world = await approvalWorld();
  });
  afterEach(() => world.db.destroy());

  it("is one while it is pending: a second is the first", async () => {
    const [first, second] = await Promise.all([world.ask("login"), world.ask("login")]);
    assert.equal(first.id, second.id);
    assert.notEqual((await world.ask("login", "rob")).id, first.id);
    assert.equal((await world.audited("approval-requested")).length, 2);
  });

  it("can be made anew after a no, and after its time", async () => {
    const ann = await world.staff("ann", "approver");
    const first = await world.ask("login");
    await world.answer(first.id, ann, "deny");
    const second = await world.ask("login");
    assert.notEqual(second.id, first.id);
    world.time.now = second.expires_at;
    assert.notEqual((await world.ask("login")).id, second.id);
    assert.equal((await requestById(world.db, second.id))?.state, "expired");
  });

  it("is noted as expired once", async () => {
    const { id, expires_at } = await world.ask("login");
    world.time.now = expires_at - 1;
    await expireRequests(world);
    assert.equal((await requestById(world.db, id))?.state, "pending");
    world.time.now = expires_at;
    await Promise.all([expireRequests(world), expireRequests(world)]);
    assert.equal((await requestById(world.db, id))?.state, "expired");
    assert.equal((await world.audited("approval-expired")).length, 1);
  });

  for (const [what, engagement, ticket, code] of [
    ["where nothing needs approval", "free", undefined, "conflict"],
    ["without the ticket that it needs", "ticket", undefined, "message-malformed"],
    ["with its ticket", "ticket", "OPS-1", undefined],
  ] as const) {
    it(`is ${code === undefined ? "taken" : "refused"} ${what}`, async () => {
      const asked = world.ask(engagement, "dana", ticket);
      if (code === undefined) assert.equal((await asked).ticket, ticket);
      else await assert.rejects(asked, { code });
    });
  }

  it("is refused once the engagement is over", async () => {
    await endEngagement(world, { nameOrId: "login", by: "x", reason: "" });
    await assert.rejects(world.ask("login"), { code: "conflict" });
  });

  it("cannot be made more than 20 times in an hour", async () => {
    const ann = await world.staff("ann", "approver");
    for (let i = 0; i < 20; i++) await world.answer((await world.ask("login")).id, ann, "deny");
    await assert.rejects(world.ask("login"), { code: "rate-limited" });
    world.time.now += 3601;
    await world.ask("login");
  });
});

describe("a login that a host refused for want of approval", () => {
  let world: ApprovalWorld;
  beforeEach(async () => {
    world = await approvalWorld();
    await world.member("dana");
    await world.member("olga");
  });
  afterEach(() => world.db.destroy());

  it("becomes a request, once", async () => {
    const request = await world.refused({});
    assert.equal(request?.reason, "login to web-1 as deploy refused");
    assert.deepEqual(
      [request?.member_id, request?.email],
      [await world.memberId("dana"), "dana@vendor.test"],
    );
    assert.equal(await world.refused({}), undefined);
    assert.equal((await world.ask("login")).id, request?.id, "who asks now finds it");
  });

  it("takes the words of the person whose it is, once, and not after an answer", async () => {
    const request = await world.refused({ engagementId: (await world.engagement("pair")).id });
    const asked = await world.ask("pair");
    assert.deepEqual([asked.id, asked.reason], [request?.id, "a disk is full"]);
    assert.equal((await requestById(world.db, asked.id))?.reason, "a disk is full");
    await world.refused({});
    const ann = await world.staff("ann", "approver");
    await world.answer((await world.ask("login")).id, ann, "deny");
    world.time.now += 3601;
    const again = await world.refused({ engagementId: (await world.engagement("activation")).id });
    assert.equal((await world.ask("activation", "rob")).reason, again?.reason, "not another's");
    assert.equal((await world.ask("activation")).reason, "a disk is full");
  });

  it("becomes one for the whole engagement where that is to be approved", async () => {
    const request = await world.refused({ engagementId: (await world.engagement("activation")).id });
    assert.equal(request?.member_id, null);
  });

  it("asks nothing for an hour after a no, and again later", async () => {
    const ann = await world.staff("ann", "approver");
    const request = await world.refused({});
    await world.answer(request?.id ?? "", ann, "deny");
    assert.equal(await world.refused({}), undefined);
    world.time.now += 3601;
    assert.notEqual(await world.refused({}), undefined);
  });

  it("asks again once what was approved has run out", async () => {
    const ann = await world.staff("ann", "approver");
    await world.answer((await world.refused({}))?.id ?? "", ann);
    assert.equal(await world.refused({}), undefined, "a host that has not heard yet");
    world.time.now += 3600;
    assert.notEqual(await world.refused({}), undefined);
  });

  it("keeps text of the host's own out of what approvers read", async () => {
    const request = await world.refused({ account: "root (urgent, call +1 555)" });
    assert.equal(request?.reason, "login to web-1 as an account refused");
  });

  const lies: [what: string, event: () => Promise<Partial<HostEvent>>, host?: object][] = [
    ["of another host", async () => ({}), { name: "web-2" }],
    ["of no member at all", async () => ({ memberId: null })],
    ["of a member of another engagement", async () => ({ memberId: await world.memberId("olga") })],
    ["with another person's identity", async () => ({ subject: "olga" })],
    ["with an identity of another provider", async () => ({ issuer: "https://idp.else.test" })],
    ["without an identity", async () => ({ issuer: null, subject: null })],
    ["of an engagement that there is not", async () => ({ engagementId: newId(world.environment, "eng") })],
    [
      "of another vendor's engagement",
      async () => ({ engagementId: (await world.engagement("foreign")).id }),
    ],
    ["of one that needs no approval", async () => ({ engagementId: (await world.engagement("free")).id })],
    ["of one that needs a ticket", async () => ({ engagementId: (await world.engagement("ticket")).id })],
    ["for another reason", async () => ({ code: "outside-hours" })],
    ["in an event of another kind", async () => ({ type: "login-admitted" as const })],
  ];
  for (const [what, event, host] of lies) {
    it(`is not believed: ${what}`, async () => {
      assert.equal(await world.refused(await event(), host), undefined);
      assert.deepEqual(await world.audited("approval-requested"), []);
    });
  }

  it("asks nothing for somebody who was revoked", async () => {
    const target = await world.memberId("dana");
    const entry = { level: "member" as const, target, at: 1, by: "x", reason: "" };
    await addRevocation(world.db, { id: newId(world.environment, "rev"), ...entry });
    assert.equal(await world.refused({}), undefined);
  });

  it("asks at most 30 times in an hour for one host", async () => {
    await world.refused({});
    const { id, ...row } =
      (await world.db.selectFrom("approval_requests").selectAll().executeTakeFirstOrThrow()) ?? {};
    for (let i = 0; i < 29; i++) {
      const other = { ...row, id: newId(world.environment, "apr"), state: "expired", pending_key: null };
      await world.db.insertInto("approval_requests").values(other).execute();
    }
    await world.member("rob");
    const rob = { memberId: await world.memberId("rob"), subject: "rob" };
    assert.equal(await world.refused(rob), undefined);
    assert.notEqual(await world.refused(rob, { id: "hst_00000000000000000000000002" }), undefined);
    assert.equal((await latestRequest(world.db, row.engagement_id, rob.memberId))?.issuer, VENDOR);
  });
});

describe("approvals in a bundle", () => {
  const host = { id: "hst_00000000000000000000000001", name: "web-1" as never, labels: {} };

  it("stay while a session that they let in can last, and no longer", async () => {
    const world = await approvalWorld();
    const engagement = await world.engagement("login");
    const [dana = "", rob = ""] = [await world.memberId("dana"), await world.memberId("rob")];
    const now = world.time.now;
    const granted = [
      { member: dana, until: now - 100 },
      { member: rob, until: now + 100 },
      { member: await world.memberId("eve"), until: now + 100 },
    ];
    const left = (changes: object) => {
      const changed = { ...engagement, approval: { ...engagement.approval, granted }, ...changes };
      const policy = { members: [], engagements: [changed], head: { sequence: 0, chain: "" } };
      return bundleContent(host, policy, now).engagements[0]?.approval.granted.map(({ member }) => member);
    };
    const limits = engagement.limits;
    assert.deepEqual(left({}), [dana, rob], "eve is no member");
    assert.deepEqual(left({ limits: { ...limits, longest: 101 } }), [dana, rob]);
    assert.deepEqual(left({ limits: { ...limits, longest: 100 } }), [rob]);
    assert.deepEqual(left({ end: now }), []);
    assert.deepEqual(left({ ended: { at: now, by: "x", reason: "" } }), []);
    assert.deepEqual(left({ approval: { ...engagement.approval, rule: "activation", granted } }), []);
    await world.db.destroy();
  });
});
