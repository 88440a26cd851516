import assert from "node:assert/strict";
import { viewRequests } from "@sallyport/control-plane/approvals/views.ts";
import { withdrawApproval } from "@sallyport/control-plane/approvals/withdraw-approval.ts";
import { requestById } from "@sallyport/control-plane/database/approval-requests.ts";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { pinIdentity } from "@sallyport/control-plane/database/members.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import { editEngagement } from "@sallyport/control-plane/policy/change-engagement.ts";
import { endEngagement } from "@sallyport/control-plane/policy/end-engagement.ts";
import { type ApprovalWorld, approvalWorld, COMPANY, VENDOR } from "./support.ts";

describe("the answer to a request for approval", () => {
  let world: ApprovalWorld;
  beforeEach(async () => {
    world = await approvalWorld();
  });
  afterEach(() => world.db.destroy());

  const granted = async (name: string) => (await world.engagement(name)).approval.granted;
  const taking = (by: string) => ({ name: by, reason: "", withdraw: true, cancel: false });
  const refusedWith = (work: Promise<unknown>, code: string, text = /./) =>
    assert.rejects(work, (error: Error & { code: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, text);
      return true;
    });

  it("grants to the member, from now on and for as long as the rule says", async () => {
    const ann = await world.staff("ann", "approver");
    const { id } = await world.ask("login");
    world.time.now += 100;
    const { request, granted: done } = await world.answer(id, ann);
    assert.deepEqual([request.state, done, request.granted_until], ["approved", true, world.time.now + 3600]);
    const until = world.time.now + 3600;
    assert.deepEqual(await granted("login"), [{ member: await world.memberId("dana"), until }]);
    const [entry] = await world.audited("approval-answered");
    assert.equal(entry?.actor, "ann@company.test");
    assert.equal(entry?.until, until);
  });

  it("never grants past the engagement's end", async () => {
    const ann = await world.staff("ann", "approver");
    const { end } = await world.engagement("login");
    world.time.now = end - 600;
    const { id } = await world.ask("login");
    assert.equal((await world.answer(id, ann)).request.granted_until, end);
  });

  it("approves an engagement once, for good", async () => {
    const ann = await world.staff("ann", "approver");
    const { id, member_id } = await world.ask("activation");
    assert.equal(member_id, null);
    await world.answer(id, ann);
    const { approved, granted } = (await world.engagement("activation")).approval;
    assert.deepEqual([approved, granted], [true, []]);
    await refusedWith(world.ask("activation"), "conflict", /approved already/);
  });

  it("is kept when the policy file is applied again, and gone when more is granted than was approved", async () => {
    const ann = await world.staff("ann", "approver");
    const { id } = await world.ask("activation");
    await world.answer(id, ann);
    const apply = async (host: string, contact: string) => {
      const text = `version: 1
members: [{ name: dana, email: dana@vendor.test, vendor: vendor }]
engagements: [{ name: activation, vendor: vendor, members: [dana@vendor.test], hosts: { names: [${host}] }, accounts: [deploy], start: 2026-01-01, end: 2090-01-01, contact: ${contact}, sponsor: spencer@company.test, approval: { rule: activation } }]`;
      await applyPolicy(world.db, world.environment, { text, file: "policy.yaml" });
      return (await world.engagement("activation")).approval.approved;
    };
    assert.equal(await apply("web-1", "somebody else"), true);
    assert.equal(await apply("web-1", "somebody else"), true);
    assert.equal(await apply("web-2", "somebody else"), false);
    const request = await requestById(world.db, id);
    const [view] = request === undefined ? [] : await viewRequests(world.db, [request], world.time.now);
    assert.equal(view?.state, "withdrawn");
  });

  it("is a no when one person says no", async () => {
    const [ann, ben] = [await world.staff("ann", "approver"), await world.staff("ben", "approver")];
    const { id } = await world.ask("pair");
    await world.answer(id, ann);
    assert.equal((await world.answer(id, ben, "deny")).request.state, "denied");
    assert.deepEqual(await granted("pair"), []);
    await refusedWith(world.answer(id, ann), "conflict", /denied/);
  });

  it("takes two different people where the engagement asks for two", async () => {
    const [ann, ben] = [await world.staff("ann", "approver"), await world.staff("ben", "admin")];
    const { id } = await world.ask("pair");
    assert.deepEqual((await world.answer(id, ann)).granted, false);
    assert.deepEqual((await world.answer(id, ann)).granted, false, "the same yes again");
    assert.deepEqual(await granted("pair"), []);
    const events = await listAuditEvents(world.db, 10);
    assert.equal(events.filter(({ type }) => type === "approval-answered").length, 1, "written down once");
    assert.deepEqual((await world.answer(id, ben)).granted, true);
    assert.equal((await granted("pair")).length, 1);
  });

  it("does not count one person twice, by whatever sign-in they come", async () => {
    const ann = await world.staff("ann", "approver");
    const again = { issuer: VENDOR, subject: "ann-2", email: "ann@company.test" };
    await world.db
      .insertInto("staff_identities")
      .values({ ...again, email: "ann2@company.test", pinned_at: 1 })
      .execute();
    world.needs.config.staff.push({
      email: "ann2@company.test",
      role: "approver",
      roles: [],
      issuer: VENDOR,
    } as never);
    const { id } = await world.ask("pair");
    await world.answer(id, ann);
    const second = await world.answer(id, { ...again, name: "ann" });
    assert.equal(second.granted, false, "the same e-mail");
  });

  it("of somebody who has lost the role since does not count", async () => {
    const [ann, ben, cat] = [
      await world.staff("ann", "approver"),
      await world.staff("ben", "approver"),
      await world.staff("cat", "approver"),
    ];
    const { id } = await world.ask("pair");
    await world.answer(id, ann);
    world.needs.config.staff = world.needs.config.staff.filter(({ email }) => email !== ann.email);
    assert.equal((await world.answer(id, ben)).granted, false);
    assert.equal((await world.answer(id, cat)).granted, true);
  });

  it("is granted once, whoever answers at the same moment", async () => {
    const people = await Promise.all(
      ["ann", "ben", "cat", "dee"].map((name) => world.staff(name, "approver")),
    );
    const { id } = await world.ask("pair");
    const answers = await Promise.allSettled(people.map((by) => world.answer(id, by)));
    assert.equal(answers.filter((one) => one.status === "fulfilled" && one.value.granted).length, 1);
    assert.equal((await granted("pair")).length, 1);
    assert.equal(
      (await world.audited("approval-answered")).filter(({ state }) => state === "approved").length,
      1,
    );
  });

  it("is granted also when the only two people answer at the same moment", async () => {
    const people = await Promise.all(["ann", "ben"].map((name) => world.staff(name, "approver")));
    for (const who of ["dana", "rob"]) {
      const { id } = await world.ask("pair", who);
      const answers = await Promise.all(people.map((by) => world.answer(id, by)));
      assert.deepEqual(answers.map((one) => one.granted).toSorted(), [false, true]);
    }
  });

  for (const [what, role, engagement, code] of [
    ["an auditor", "auditor", "login", "not-found"],
    ["a sponsor of another engagement", "sponsor", "foreign", "not-found"],
    ["a sponsor of this one", "sponsor", "login", undefined],
    ["an approver", "approver", "foreign", undefined],
    ["an admin", "admin", "login", undefined],
  ] as const) {
    it(`${code === undefined ? "may" : "may not"} come from ${what}`, async () => {
      await world.member("olga");
      const by = await world.staff("spencer", role);
      const { id } = await world.ask(engagement, engagement === "foreign" ? "olga" : "dana");
      if (code === undefined) assert.equal((await world.answer(id, by)).granted, true);
      else await refusedWith(world.answer(id, by), code);
    });
  }

  it("may not come from a contractor", async () => {
    const dana = await world.member("dana");
    const rob = await world.member("rob");
    const { id } = await world.ask("login");
    for (const by of [dana, rob]) await refusedWith(world.answer(id, by), "not-found");
  });

  const own: [
    what: string,
    prepare: () => Promise<{ by: Parameters<ApprovalWorld["answer"]>[1]; engagement?: string }>,
  ][] = [
    [
      "the member, who is an approver as well, by the same identity",
      async () => {
        await world.member("dana", COMPANY);
        return { by: await world.staff("dana", "approver") };
      },
    ],
    [
      "the member, by another identity of theirs that is staff",
      async () => {
        await world.member("dana");
        await pinIdentity(world.db, {
          issuer: COMPANY,
          subject: "ann",
          member_id: await world.memberId("dana"),
          pinned_at: 1,
        });
        return { by: await world.staff("ann", "admin") };
      },
    ],
    [
      "the member, by the same e-mail at another provider",
      async () => {
        const row = { issuer: COMPANY, subject: "x", email: "dana@vendor.test", pinned_at: 1 };
        await world.db.insertInto("staff_identities").values(row).execute();
        world.needs.config.staff.push({ email: row.email, role: "approver", roles: [] } as never);
        return { by: { issuer: row.issuer, subject: row.subject, email: row.email, name: "x" } };
      },
    ],
    [
      "who asked for the activation",
      async () => {
        const ann = await world.staff("ann", "admin");
        await world.db
          .updateTable("approval_requests")
          .set({ issuer: COMPANY, subject: "ann", email: null })
          .execute();
        return { by: ann, engagement: "activation" };
      },
    ],
    [
      "a member of the engagement whose activation another asked for",
      async () => {
        await world.member("rob", COMPANY);
        return { by: await world.staff("rob", "approver"), engagement: "activation" };
      },
    ],
  ];
  for (const [what, prepare] of own) {
    it(`may not come from ${what}`, async () => {
      const requests = { login: await world.ask("login"), activation: await world.ask("activation") };
      const { by, engagement = "login" } = await prepare();
      const { id } = requests[engagement as keyof typeof requests];
      await refusedWith(world.answer(id, by), "forbidden", /Nobody approves their own/);
      await refusedWith(world.answer(id, by, "deny"), "forbidden");
      assert.deepEqual(await granted(engagement), []);
      assert.equal((await world.engagement(engagement)).approval.approved, false);
    });
  }

  it("does not count when it has become the answerer's own", async () => {
    const [ann, ben] = [await world.staff("ann", "approver"), await world.staff("ben", "approver")];
    const { id } = await world.ask("pair");
    await world.answer(id, ann);
    await pinIdentity(world.db, {
      issuer: COMPANY,
      subject: "ann",
      member_id: await world.memberId("dana"),
      pinned_at: 1,
    });
    assert.equal((await world.answer(id, ben)).granted, false);
  });

  it("comes too late when the request has expired, in the very second", async () => {
    const ann = await world.staff("ann", "approver");
    const { id, expires_at } = await world.ask("login");
    assert.equal(expires_at, world.time.now + 86_400);
    world.time.now = expires_at;
    await refusedWith(world.answer(id, ann), "conflict", /expired/);
    assert.deepEqual(await granted("login"), []);
  });

  it("comes too late when the engagement has ended, early or by itself", async () => {
    const ann = await world.staff("ann", "approver");
    const { id } = await world.ask("login");
    await endEngagement(world, { nameOrId: "login", by: "x", reason: "" });
    await refusedWith(world.answer(id, ann), "conflict", /over/);
    const { id: other } = await world.ask("pair");
    world.time.now = (await world.engagement("pair")).end;
    await refusedWith(world.answer(other, ann), "conflict");
  });

  it("grants nothing when the member has left, or the rule has changed", async () => {
    const ann = await world.staff("ann", "approver");
    const requests = [await world.ask("login"), await world.ask("pair")];
    const text = (name: string, members: string, approval: string) =>
      `version: 1\nmembers: [{ name: rob, email: rob@vendor.test, vendor: vendor }, { name: dana, email: dana@vendor.test, vendor: vendor }]\nengagements: [{ name: ${name}, vendor: vendor, members: [${members}], hosts: { names: [web-1] }, accounts: [deploy], start: 2026-01-01, end: 2090-01-01, contact: x, approval: ${approval} }]`;
    const file = "policy.yaml";
    await applyPolicy(world.db, world.environment, {
      text: text("login", "rob@vendor.test", "{ rule: login }"),
      file,
    });
    await applyPolicy(world.db, world.environment, {
      text: text("pair", "dana@vendor.test", "{ rule: none }"),
      file,
    });
    for (const { id } of requests) await refusedWith(world.answer(id, ann), "conflict");
  });

  it("can be taken back, and only once", async () => {
    const ann = await world.staff("ann", "approver");
    const asked = await world.ask("login");
    await world.answer(asked.id, ann);
    const { request, revoked } = await withdrawApproval(world, asked, taking("ann"));
    assert.deepEqual([request.state, revoked], ["withdrawn", true]);
    assert.deepEqual(await granted("login"), []);
    await refusedWith(withdrawApproval(world, asked, taking("ann")), "conflict", /withdrawn/);
    await refusedWith(world.answer(asked.id, ann), "conflict", /withdrawn/);
    assert.equal((await world.audited("approval-withdrawn")).length, 1);
  });

  it("counts for the version of the engagement that was looked at, and for no later one", async () => {
    const ann = await world.staff("ann", "approver");
    const asked = await world.ask("login");
    const [seen] = await viewRequests(world.db, [asked], world.time.now);
    assert.equal(seen?.engagement.version, 1);
    const author = { by: "sec", why: "" };
    const change = { hosts: { names: ["web-1", "db-1"] } };
    await editEngagement(world, { nameOrId: "login", version: 1, change }, author);
    const text = /has version 2 by now, and the answer is for version 1.*engagement show login.*approve apr_/;
    await refusedWith(world.answer(asked.id, ann, "approve", 1), "conflict", text);
    assert.deepEqual(await granted("login"), []);
    assert.deepEqual(await world.audited("approval-answered"), []);
    const [now] = await viewRequests(world.db, [asked], world.time.now);
    assert.equal((await world.answer(asked.id, ann, "approve", now?.engagement.version)).granted, true);
    const eve = await world.member("eve");
    await refusedWith(world.answer(asked.id, eve, "approve", 1), "not-found");
  });

  it("stays when another one for the same member is taken back, which is told", async () => {
    const ann = await world.staff("ann", "approver");
    const first = await world.ask("login");
    await world.answer(first.id, ann);
    world.time.now += 60;
    const second = await world.ask("login");
    await world.answer(second.id, ann);
    const until = world.time.now + 3600;
    assert.deepEqual(await granted("login"), [{ member: await world.memberId("dana"), until }]);
    const { others } = await withdrawApproval(world, second, taking("ann"));
    assert.deepEqual(others, [{ id: first.id, until: until - 60 }]);
    assert.deepEqual(await granted("login"), [{ member: await world.memberId("dana"), until: until - 60 }]);
    assert.deepEqual((await withdrawApproval(world, first, taking("ann"))).others, []);
    assert.deepEqual(await granted("login"), []);
  });
});
