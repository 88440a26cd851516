import assert from "node:assert/strict";
import type { MadeToken } from "@sallyport/core/messages/api-tokens.ts";
import type { RevocationResponse } from "@sallyport/core/messages/client-api.ts";
import type { RevocationDetail, RevocationView } from "@sallyport/core/messages/revocations.ts";
import { SessionId } from "@sallyport/core/names.ts";
import { type Answer, call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, type TestHost, type TestLink } from "./support/host.ts";

const SESSION = SessionId.parse("ses_01m83qvpsktkyba2p9mdgsg148");

describe("revocations, by the API", () => {
  let plane: TestControlPlane;
  let admin: string;
  let hosts: TestHost[];
  const as = (token: string, method: string, path: string, body?: unknown) =>
    call(plane.url, method, path, { token, ...(body === undefined ? {} : { body }) });
  const sign = (sub: string) => signIn(plane.url, plane.idp.issuer, sub);
  /** In the second after what came before is over. */
  const signAgain = async (sub: string) => {
    for (const end = Date.now() + 5000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const answer = await sign(sub).catch((error: unknown) => error);
      if (!(answer instanceof Error)) return answer as Awaited<ReturnType<typeof sign>>;
      if (Date.now() > end) throw answer;
    }
  };
  const identity = (sub: string) => `${plane.idp.issuer} ${sub}`;
  const revoke = (level: string, target: string, more: object = {}) =>
    as(admin, "POST", "/revocations", { level, target, reason: "left", ...more });
  const lift = (level: string, target: string) =>
    as(admin, "POST", "/revocations/lift", { level, target, reason: "back" });
  const show = async (id: string) => (await as(admin, "GET", `/revocations/${id}`)).body as RevocationDetail;

  before(async () => {
    plane = await startTestControlPlane({
      config: {
        staff: [
          { email: "sec@acme.test", role: "admin" },
          { email: "audit@acme.test", role: "auditor" },
          { email: "both@acme.test", role: "admin" },
        ],
        rateLimit: { perSecond: 10_000, burst: 10_000, failures: { burst: 10_000 } },
      },
    });
    for (const [sub, email] of [
      ["both", "both@acme.test"],
      ["rita", "rita@rival.test"],
    ] as const)
      plane.idp.accounts.set(sub, { sub, email, emailVerified: true, name: sub, amr: ["mfa"] });
    plane.writePolicy(POLICY);
    await plane.running.reloadPolicy();
    admin = (await sign("sam")).apiToken;
    hosts = [];
    for (const name of ["web-1", "web-2"]) hosts.push(await enrol(plane.url, await plane.joinToken(name)));
  });
  after(() => plane.close());
  afterEach(() => {
    plane.clock.offset = 0;
  });

  it("say of every host whether it has it, and of one that is cut off when its lease ends", async () => {
    const [first, second] = hosts;
    if (first === undefined || second === undefined) throw new Error("no hosts");
    const links: TestLink[] = [];
    for (const host of [first, second]) {
      const link = await connect(plane.url, host);
      const bundle = await link.next("bundle");
      assert.ok(bundle.jws.length > 0);
      links.push(link);
    }
    const [here, away] = links;
    await away?.close();
    await until(async () => {
      const list = (await as(admin, "GET", "/hosts")).body as { name: string; connected: boolean }[];
      return list.find(({ name }) => name === "web-2")?.connected === false;
    });
    const revoking = revoke("member", "eve@vendor.test");
    const { entry } = (await here?.next("revocation")) ?? { entry: { sequence: 0 } };
    here?.send({ type: "revocation-ack", sequence: entry.sequence, endedSessions: [SESSION] });
    const { id, hosts: told } = (await revoking).body as RevocationResponse;
    assert.deepEqual(
      told.map(({ host, acknowledged, connected, endedSessions, standing }) => [
        ...[host, acknowledged, connected, standing],
        endedSessions,
      ]),
      [
        ["web-1", true, true, "has", [SESSION]],
        ["web-2", false, false, "cut-off", []],
      ],
    );
    await until(async () => (await show(id)).hosts[0]?.acknowledgedAt !== null);
    const { counts, hosts: shown, ...view } = await show(id);
    assert.deepEqual(counts, { all: 2, has: 1, asked: 0, cutOff: 1, noLease: 0 });
    assert.deepEqual(shown[0]?.endedSessions, [SESSION]);
    const leaseUntil = shown[1]?.leaseUntil ?? 0;
    const inSeconds = leaseUntil - Date.now() / 1000;
    assert.ok(inSeconds > plane.config.lease - 60 && inSeconds <= plane.config.lease, `${inSeconds} s`);
    assert.deepEqual([view.name, view.kind, view.inForce], ["eve@vendor.test", "everything", true]);
    plane.clock.offset = (plane.config.lease + 5) * 1000;
    const missing = (await as(admin, "GET", `/revocations/${id}?hosts=missing`)).body as RevocationDetail;
    assert.deepEqual(
      missing.hosts.map(({ host, standing }) => [host, standing]),
      [["web-2", "no-lease"]],
    );
    assert.deepEqual([missing.counts.has, missing.counts.noLease], [1, 1]);
    await here?.close();
  });

  it("are listed for auditors, who revoke and lift nothing", async () => {
    const auditor = (await sign("audrey")).apiToken;
    await revoke("vendor", "rival");
    await lift("vendor", "rival");
    const list = async (query: string) =>
      ((await as(auditor, "GET", `/revocations?${query}`)).body as RevocationView[]).map(
        ({ level, name, kind, inForce }) => [level, name, kind, inForce],
      );
    assert.deepEqual(await list("level=vendor&target=rival"), [
      ["vendor", "rival", "lifting", false],
      ["vendor", "rival", "everything", false],
    ]);
    assert.deepEqual(await list("inForce=true&level=member&target=eve@vendor.test"), [
      ["member", "eve@vendor.test", "everything", true],
    ]);
    for (const [path, body] of [
      ["/revocations", { level: "vendor", target: "rival" }],
      ["/revocations/lift", { level: "member", target: "eve@vendor.test" }],
    ] as const)
      assert.equal((await as(auditor, "POST", path, body)).code, "forbidden");
  });

  it("of an identity end a contractor's API token, and refuse a sign-in with by whom and why, until they are lifted", async () => {
    const dana = await sign("dana");
    assert.notEqual(dana.certificate, null);
    const { id } = (await revoke("identity", identity("dana"))).body as RevocationResponse;
    const refused = await as(dana.apiToken, "GET", "/sessions");
    assert.deepEqual(
      [refused.code, /revoked by sec@acme\.test: left/.test(refused.message)],
      ["forbidden", true],
    );
    await assert.rejects(
      sign("dana"),
      /Your account was revoked .* by sec@acme\.test: left\. Ask sec@acme\.test/,
    );
    const lifted = await lift("identity", identity("dana"));
    assert.equal(lifted.status, 201, lifted.message);
    assert.equal(
      (await as(dana.apiToken, "GET", "/me")).code,
      "unauthenticated",
      "nothing of before comes back",
    );
    await signAgain("dana");
    assert.equal((await show(id)).inForce, false);
    assert.equal((await lift("identity", identity("dana"))).code, "conflict");
  });

  it("of a member's sign-ins end their API token, and no sign-in after them", async () => {
    const { apiToken } = await sign("dana");
    const ended = await revoke("member", "dana@vendor.test", { signInsOnly: true });
    assert.equal(ended.status, 201, ended.message);
    const refused = await as(apiToken, "GET", "/sessions");
    assert.deepEqual([refused.code, /Sign in again/.test(refused.message)], ["unauthenticated", true]);
    await signAgain("dana");
  });

  it("of staff's identity end their tokens, a program's for good; of their sign-ins only the sign-in", async () => {
    const make = async (token: string) =>
      (
        await as(token, "POST", "/tokens", {
          ...{ name: "ci", scopes: ["audit:read"], expiresAt: Math.floor(Date.now() / 1000) + 3600 },
        })
      ).body as MadeToken;
    const asks = async (token: string) => (await as(token, "GET", "/audit/key")).code;
    const { apiToken } = await sign("audrey");
    const { token } = await make(apiToken);
    assert.equal((await revoke("identity", identity("audrey"), { signInsOnly: true })).status, 201);
    assert.deepEqual([await asks(apiToken), await asks(token)], ["unauthenticated", undefined]);
    assert.equal((await revoke("identity", identity("audrey"))).status, 201);
    assert.deepEqual([await asks(apiToken), await asks(token)], ["forbidden", "forbidden"]);
    assert.equal(
      (await as(token, "GET", "/me")).status,
      200,
      "who it is, and that it was revoked, it may know",
    );
    await assert.rejects(sign("audrey"), /Your account was revoked .* Ask another admin/);
    // The attack: being made staff again brings back what was made before.
    assert.equal((await lift("identity", identity("audrey"))).status, 201);
    assert.deepEqual([await asks(apiToken), await asks(token)], ["unauthenticated", "unauthenticated"]);
    const again = await signAgain("audrey");
    assert.equal(await asks((await make(again.apiToken)).token), undefined);
  });

  for (const [level, target] of [
    ["issuer", () => plane.idp.issuer],
    ["vendor", () => "vendor"],
  ] as const) {
    it(`of a whole ${level} never lock the security team out, and let nobody in as a contractor`, async () => {
      const both = await sign("both");
      assert.deepEqual(both.me.roles, ["contractor", "admin"]);
      const before = await sign("dana");
      assert.equal((await revoke(level, target(), { signInsOnly: true })).status, 201);
      for (const token of [both.apiToken, admin])
        assert.equal((await as(token, "GET", "/audit/key")).status, 200);
      assert.equal((await as(before.apiToken, "GET", "/me")).code, "unauthenticated");
      const dana = await signAgain("dana");
      assert.equal((await revoke(level, target())).status, 201);
      assert.equal((await as(dana.apiToken, "GET", "/sessions")).code, "forbidden");
      await assert.rejects(sign("dana"), /was revoked .* by sec@acme\.test: left/);
      const again = await sign("both");
      assert.deepEqual([again.me.roles, again.certificate], [["admin"], null]);
      for (const token of [both.apiToken, again.apiToken, (await sign("sam")).apiToken])
        assert.equal((await as(token, "GET", "/audit/key")).status, 200);
      if (level === "vendor") assert.notEqual((await sign("rita")).certificate, null, "of another vendor");
      assert.equal(
        (await as(again.apiToken, "POST", "/revocations/lift", { level, target: target() })).status,
        201,
      );
      await signAgain("dana");
    });
  }

  it("say of a host whose name another one has now that it may admit until its lease ends", async () => {
    const replaced = await enrol(plane.url, await plane.joinToken("web-3"));
    const link = await connect(plane.url, replaced);
    await link.next("bundle");
    await link.close();
    await enrol(plane.url, await plane.joinToken("web-3"));
    const { id } = (await revoke("member", "eve@vendor.test")).body as RevocationResponse;
    const standing = async () =>
      (await show(id)).hosts.flatMap(({ host, standing }) => (host === "web-3" ? [standing] : []));
    assert.deepEqual((await standing()).toSorted(), ["cut-off", "no-lease"]);
    plane.clock.offset = (plane.config.lease + 5) * 1000;
    assert.deepEqual(await standing(), ["no-lease"], "it is gone, and only the new one counts");
  });

  it("of one vendor do not reach one whose name looks alike", async () => {
    const answers: Answer[] = [];
    for (const name of ["vendor-2", "VENDOR", "vend%", "vendor "]) answers.push(await revoke("vendor", name));
    assert.deepEqual(
      answers.map(({ code }) => code),
      answers.map(() => "not-found"),
    );
    assert.match(answers[0]?.message ?? "", /Vendors here: rival, vendor\./);
  });
});

const POLICY = `
version: 1
members:
  - { name: Dana Doe, email: dana@vendor.test, vendor: vendor }
  - { name: Eve Early, email: eve@vendor.test, vendor: vendor }
  - { name: Bo Both, email: both@acme.test, vendor: vendor }
  - { name: Rita Rival, email: rita@rival.test, vendor: rival }
engagements:
  - name: web-work
    vendor: vendor
    members: [dana@vendor.test, both@acme.test]
    hosts: { names: [web-1, web-2] }
    accounts: [deploy]
    start: 2020-01-01
    end: 2090-01-01
    contact: sec@acme.test
  - name: rival-work
    vendor: rival
    members: [rita@rival.test]
    hosts: { names: [web-1] }
    accounts: [deploy]
    start: 2020-01-01
    end: 2090-01-01
    contact: sec@acme.test
`;

/** Resolves once it is so; fails after 5 s. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 5000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error("it did not come to it within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
