import assert from "node:assert/strict";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import type {
  EngagementChangeResponse,
  EngagementVersion,
  EngagementView,
} from "@sallyport/core/messages/engagements.ts";
import type { MemberView } from "@sallyport/core/messages/members.ts";
import type { PolicyResponse } from "@sallyport/core/messages/policy.ts";
import { type Answer, call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol } from "./support/host.ts";

const DAY = 86_400;
const WORK = {
  name: "db-work",
  vendor: "vendor",
  members: ["dana@vendor.test"],
  hosts: { names: ["db-1"] },
  accounts: ["deploy"],
  mfa: { level: "phishing-resistant", maxAge: 3600 },
  start: "2020-01-01",
  end: "2089-01-01",
  contact: "sec@acme.test",
};

describe("engagements by the API", () => {
  let plane: TestControlPlane;
  let admin: string;
  let contractor: string;
  const as = (token: string, method: string, path: string, body?: unknown): Promise<Answer> =>
    call(plane.url, method, path, { token, ...(body === undefined ? {} : { body }) });
  const changed = (answer: Answer) => answer.body as EngagementChangeResponse;
  const versions = async (name: string) =>
    (await as(admin, "GET", `/engagements/${name}/versions`)).body as EngagementVersion[];
  const events = async () => {
    const db = await plane.database();
    const found = await listAuditEvents(db, 1000);
    await db.destroy();
    return found;
  };

  before(async () => {
    plane = await startTestControlPlane();
    admin = (await signIn(plane.url, plane.idp.issuer, "sam")).apiToken;
    contractor = (await signIn(plane.url, plane.idp.issuer, "dana")).apiToken;
  });
  after(() => plane.close());

  it("are created, edited, extended and ended; every version says when, by whom, why and what", async () => {
    const body = { engagement: WORK, reason: "ticket 1" };
    const created = await as(admin, "POST", "/engagements", body);
    assert.deepEqual([created.status, changed(created).version, changed(created).changes], [201, 1, []]);
    assert.equal((await as(admin, "POST", "/engagements", body)).code, "conflict");

    const change = { accounts: ["deploy", "app"], mfa: { maxAge: null } };
    const edit = { version: 1, change, reason: "ticket 2" };
    const edited = await as(admin, "PATCH", "/engagements/db-work", edit);
    assert.deepEqual(changed(edited).changes, [
      { field: "accounts", before: ["deploy"], after: ["deploy", "app"] },
      { field: "mfa.maxAge", before: 3600, after: null },
    ]);
    const stale = await as(admin, "PATCH", "/engagements/db-work", edit);
    assert.deepEqual([stale.status, stale.code], [409, "conflict"]);
    assert.match(stale.message, /version 2 by now/);

    const until = { until: "2089-06-01T12:00:00Z", reason: "not done" };
    assert.equal(changed(await as(admin, "POST", "/engagements/db-work/extend", until)).version, 3);
    assert.equal(changed(await as(admin, "POST", "/engagements/db-work/extend", until)).version, 3);
    const sooner = await as(admin, "POST", "/engagements/db-work/extend", { until: "2088-01-01" });
    assert.equal(sooner.code, "conflict");
    assert.equal((await as(admin, "POST", "/engagements/db-work/end", { reason: "done" })).status, 200);
    for (const [method, path, request] of [
      ["PATCH", "", { version: 4, change: { accounts: ["x"] } }],
      ["POST", "/extend", { until: "2090-01-01" }],
    ] as const) {
      const refused = await as(admin, method, `/engagements/db-work${path}`, request);
      assert.equal(refused.code, "conflict");
      assert.match(refused.message, /was ended on .* by sec@acme\.test and stays so; make a new one/);
    }

    const history = await versions("db-work");
    assert.deepEqual(
      history.map(({ version, by, why, changes }) => [version, by, why, changes.map(({ field }) => field)]),
      [
        [4, "sec@acme.test", "done", ["ended"]],
        [3, "sec@acme.test", "not done", ["end"]],
        [2, "sec@acme.test", "ticket 2", ["accounts", "mfa.maxAge"]],
        [1, "sec@acme.test", "ticket 1", []],
      ],
    );
    // What the edit did not give stayed: the level was not set back to its default.
    assert.deepEqual(history[0]?.engagement.mfa, { level: "phishing-resistant", maxAge: null });
    const types = (await events())
      .filter(({ data_json }) => JSON.parse(data_json).name === "db-work")
      .map(({ type }) => type);
    assert.deepEqual(types.toReversed(), [
      "engagement-created",
      "engagement-changed",
      "engagement-extended",
      "engagement-ended",
    ]);
  });

  it("are refused with a sentence where they cannot be so, and nothing is stored", async () => {
    const before = await versions("web-work");
    const version = before[0]?.version ?? 0;
    const edit = (change: object) => as(admin, "PATCH", "/engagements/web-work", { version, change });
    const refused: [change: object, code: string, expected: RegExp][] = [
      [{ vendor: "other", members: [] }, "conflict", /one of the vendor vendor, and stays so/],
      [{ end: "2021-01-01" }, "conflict", /cannot be moved to .* which is past/],
      [{ end: "2019-01-01" }, "message-malformed", /wrong at end: the end must come after the start/],
      [{ name: "other-work" }, "message-malformed", /keeps its name/],
      [{ acounts: ["x"] }, "message-malformed", /acounts/],
      [{ members: ["stranger@else.test"] }, "message-malformed", /is no member; invite them/],
      [{ ended: null, members: ["dana@vendor.test", "sec@acme.test"] }, "message-malformed", /is no member/],
      [{ accounts: ["dana-vendor"] }, "message-malformed", /own account of dana@vendor\.test/],
    ];
    for (const [change, code, expected] of refused) {
      const answer = await edit(change);
      assert.equal(answer.code, code, JSON.stringify(change));
      assert.match(answer.message, expected);
    }
    assert.deepEqual(await versions("web-work"), before);
    const id = { ...WORK, name: `eng_${"0".repeat(26)}` };
    assert.equal((await as(admin, "POST", "/engagements", { engagement: id })).code, "message-malformed");
  });

  it("cannot be changed by two at once: one of them hears that it was", async () => {
    const body = { engagement: { ...WORK, name: "race-work" } };
    assert.equal((await as(admin, "POST", "/engagements", body)).status, 201);
    const answers = await Promise.all(
      ["a", "b", "c"].map((account) =>
        as(admin, "PATCH", "/engagements/race-work", { version: 1, change: { accounts: [account] } }),
      ),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409]);
    assert.equal((await versions("race-work")).length, 2);
  });

  it("are for the security team: contractors neither change them nor see who else was ever in them", async () => {
    for (const [method, path, body] of [
      ["POST", "/engagements", { engagement: { ...WORK, name: "mine" } }],
      ["PATCH", "/engagements/web-work", { version: 1, change: {} }],
      ["POST", "/engagements/web-work/extend", { until: "2099-01-01" }],
      ["POST", "/policy", { text: "version: 1" }],
      ["POST", "/members", { name: "X", email: "x@vendor.test", vendor: "vendor" }],
      ["DELETE", "/members/eve@vendor.test/invitation", undefined],
    ] as const)
      assert.equal((await as(contractor, method, path, body)).code, "forbidden", path);
    assert.equal((await as(contractor, "GET", "/engagements/web-work/versions")).code, "not-found");
    const seen = (await as(contractor, "GET", "/members")).body as MemberView[];
    assert.deepEqual(
      seen.map(({ email }) => email),
      ["dana@vendor.test"],
    );
  });

  it("reach hosts at once, and the answer says which have them", async () => {
    const host = await enrol(plane.url, await plane.joinToken("db-1"));
    const link = await connect(plane.url, host);
    const { jws } = await link.next("bundle");
    assert.ok(jws.length > 0);
    link.send({ type: "bundle-ack", version: 1 } as never);
    const answer = as(admin, "POST", "/engagements", { engagement: { ...WORK, name: "host-work" } });
    const bundle = await link.next("bundle");
    const payload = JSON.parse(Buffer.from(bundle.jws.split(".")[1] ?? "", "base64url").toString());
    assert.ok(payload.engagements.some(({ name }: EngagementView) => name === "host-work"));
    link.send({ type: "bundle-ack", version: payload.version } as never);
    assert.deepEqual(changed(await answer).hosts, [{ host: "db-1", acknowledged: true }]);
    await link.close();
  });
});

describe("a policy file by the API", () => {
  let plane: TestControlPlane;
  let admin: string;
  const apply = (body: object) => call(plane.url, "POST", "/policy", { token: admin, body });

  before(async () => {
    plane = await startTestControlPlane();
    admin = (await signIn(plane.url, plane.idp.issuer, "sam")).apiToken;
  });
  after(() => plane.close());

  function bigPolicy(count: number): string {
    const numbers = Array.from({ length: count }, (_, index) => index);
    return [
      "version: 1",
      "members:",
      ...numbers.map((n) => `  - { name: Person ${n}, email: p${n}@acme.test, vendor: acme }`),
      "engagements:",
      ...numbers.flatMap((n) => [
        `  - name: work-${n}`,
        "    vendor: acme",
        `    members: [p${n}@acme.test]`,
        `    hosts: { names: [host-${n}] }`,
        "    accounts: [deploy]",
        "    hours:",
        "      timeZone: Europe/Berlin",
        "      windows: [{ days: [mon, tue, wed, thu, fri], from: '08:00', to: '18:00' }]",
        "    start: 2026-11-01",
        "    end: 2089-01-01",
        "    contact: sec@acme.test",
      ]),
      "",
    ].join("\n");
  }

  async function counts() {
    const db = await plane.database();
    const count = async (table: "engagement_versions" | "audit_events" | "members" | "notices") =>
      Number(
        (
          await db
            .selectFrom(table)
            .select(({ fn }) => fn.countAll().as("n"))
            .executeTakeFirstOrThrow()
        ).n,
      );
    const host = await db.selectFrom("hosts").select("bundle_version").executeTakeFirst();
    const found = {
      versions: await count("engagement_versions"),
      events: await count("audit_events"),
      members: await count("members"),
      notices: await count("notices"),
      bundle: host?.bundle_version,
    };
    await db.destroy();
    return found;
  }

  it("of 500 engagements applies twice, and the second time changes nothing", async () => {
    const host = await enrol(plane.url, await plane.joinToken("host-7"));
    const link = await connect(plane.url, host);
    await link.next("bundle");
    const text = bigPolicy(500);
    const before = await counts();
    const first = (await apply({ text, reason: "from git" })).body as PolicyResponse;
    assert.deepEqual([first.members.added.length, first.engagements.added.length], [500, 500]);
    await link.next("bundle");
    const after = await counts();
    assert.equal(after.versions, before.versions + 500);
    const second = await apply({ text, reason: "from git" });
    assert.equal(second.status, 200);
    assert.deepEqual(second.body, {
      dryRun: false,
      members: { added: [], changed: [], unchanged: 500 },
      engagements: { added: [], changed: [], unchanged: 500, ended: [] },
      hosts: [],
    });
    assert.deepEqual(await counts(), after);
    await link.close();
  });

  it("with a mistake on line N is refused with line and column, and nothing of it is applied", async () => {
    const before = await counts();
    const text = bigPolicy(330).replaceAll("@acme.test", "@new.test").replaceAll("work-", "new-");
    const wrong = text.split("\n");
    const at = wrong.indexOf("  - name: new-321") + 4;
    wrong[at] = "    acounts: [deploy]";
    const answer = await apply({ text: wrong.join("\n"), file: "policy.yaml" });
    assert.deepEqual([answer.status, answer.code], [400, "config-invalid"]);
    assert.match(
      answer.message,
      new RegExp(`^policy\\.yaml:${at + 1}:5: unknown key "engagements\\.321\\.acounts"`),
    );
    // The last engagement is found to be wrong only when all others are stored already.
    const late = text.replace("[p329@new.test]", "[nobody@new.test]");
    const line = late.split("\n").findIndex((one) => one.includes("nobody@")) + 1;
    const refused = await apply({ text: late, file: "policy.yaml" });
    assert.match(refused.message, new RegExp(`^policy\\.yaml:${line}:15: nobody@new\\.test is no member`));
    assert.deepEqual(await counts(), before);
  });

  it("may be large, up to its bound", async () => {
    const answer = await apply({ text: `version: 1\n${"# padding\n".repeat(100_000)}` });
    assert.equal(answer.status, 200);
    const tooLarge = await apply({ text: "#".repeat(10 * 1024 * 1024) }).catch(() => undefined);
    assert.ok(tooLarge === undefined || tooLarge.status === 413);
    assert.equal(
      (await call(plane.url, "POST", "/members", { token: admin, body: { name: "x".repeat(300_000) } }))
        .status,
      413,
    );
  });

  it("of the server's own is applied at a start only when its text is new", async () => {
    const body = { until: "2095-01-01", reason: "longer" };
    await call(plane.url, "POST", "/engagements/web-work/extend", { token: admin, body });
    await plane.restart();
    const answer = await call(plane.url, "GET", "/engagements/web-work", { token: admin });
    assert.equal((answer.body as EngagementView).end, Date.parse("2095-01-01") / 1000);
  });
});

describe("invitations", () => {
  let plane: TestControlPlane;
  let admin: string;
  const invite = (body: object) => call(plane.url, "POST", "/members", { token: admin, body });
  const stranger = { name: "Stranger", email: "Stranger@else.test", vendor: "vendor" };
  const enter = () => signIn(plane.url, plane.idp.issuer, "stranger");

  beforeEach(async () => {
    plane = await startTestControlPlane();
    admin = (await signIn(plane.url, plane.idp.issuer, "sam")).apiToken;
  });
  afterEach(() => plane.close());

  it("let somebody in once, and are no invitations then", async () => {
    const answer = await invite(stranger);
    const view = answer.body as MemberView;
    assert.deepEqual([answer.status, view.state, view.account], [201, "invited", "stranger-vendor"]);
    assert.equal(view.expiresAt, (view.invitedAt ?? 0) + 14 * DAY);
    assert.equal((await enter()).me.memberId, view.id);
    assert.match((await invite(stranger)).message, /has signed in already/);
    const withdrawn = await call(plane.url, "DELETE", `/members/${view.id}/invitation`, { token: admin });
    assert.match(withdrawn.message, /sallyport revoke --member stranger@else\.test/);
    const moved = await invite({ ...stranger, vendor: "rival" });
    assert.equal(moved.code, "conflict");
  });

  it("run out, and are renewed", async () => {
    await invite(stranger);
    const db = await plane.database();
    const over = Math.floor(Date.now() / 1000) - 1;
    await db.updateTable("invitations").set({ expires_at: over }).where("accepted_at", "is", null).execute();
    await db.destroy();
    await assert.rejects(
      enter(),
      /not-invited The invitation for stranger@else\.test has expired\. Ask .* again/,
    );
    const members = (await call(plane.url, "GET", "/members", { token: admin })).body as MemberView[];
    assert.equal(members.find(({ email }) => email === "stranger@else.test")?.state, "expired");
    assert.equal((await invite(stranger)).status, 201);
    assert.ok((await enter()).apiToken);
  });

  it("are taken back, and stay so when a policy file still has them", async () => {
    await invite(stranger);
    const path = "/members/stranger@else.test/invitation";
    const withdrawn = await call(plane.url, "DELETE", path, { token: admin });
    assert.equal((withdrawn.body as MemberView).state, "withdrawn");
    assert.equal((await call(plane.url, "DELETE", path, { token: admin })).code, "conflict");
    const text = "version: 1\nmembers: [{ name: Stranger, email: stranger@else.test, vendor: vendor }]\n";
    assert.equal((await call(plane.url, "POST", "/policy", { token: admin, body: { text } })).status, 200);
    await assert.rejects(enter(), /was withdrawn/);
    await invite(stranger);
    assert.ok((await enter()).apiToken);
  });
});
