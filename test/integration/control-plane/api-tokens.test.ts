import assert from "node:assert/strict";
import { makeBootstrapToken } from "@sallyport/control-plane/issuance/api-token.ts";
import { isPlausibleToken } from "@sallyport/control-plane/issuance/token-secret.ts";
import { MadeToken, TokenView } from "@sallyport/core/messages/api-tokens.ts";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";

const HOUR = 3600;

describe("API tokens", () => {
  let plane: TestControlPlane;
  let admin: string;
  let auditor: string;
  const as = (token: string, method: string, path: string, body?: unknown) =>
    call(plane.url, method, path, { token, ...(body === undefined ? {} : { body }) });
  const later = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
  const make = async (owner: string, scopes: string[], life = HOUR) =>
    MadeToken.parse(
      (await as(owner, "POST", "/tokens", { name: "ci", scopes, expiresAt: later(life) })).body,
    );

  before(async () => {
    plane = await startTestControlPlane();
    admin = (await signIn(plane.url, plane.idp.issuer, "sam")).apiToken;
    auditor = (await signIn(plane.url, plane.idp.issuer, "audrey")).apiToken;
  });
  after(() => plane.close());
  afterEach(() => {
    plane.clock.offset = 0;
  });

  it("do what their scopes say, and nothing else that their maker may", async () => {
    const { token } = await make(admin, ["engagements:read"]);
    assert.match(token, /^spt_[0-9A-Za-z]{49}$/);
    assert.equal((await as(token, "GET", "/engagements")).status, 200);
    assert.equal((await as(token, "GET", "/me")).status, 200);
    for (const [method, path, body] of [
      ["GET", "/hosts", undefined],
      ["GET", "/tokens", undefined],
      ["POST", "/tokens", { name: "x", scopes: ["engagements:read"], expiresAt: later(60) }],
      ["POST", "/web-sessions", {}],
      ["GET", "/me/refusal", undefined],
      ["POST", "/approvals/x/answer", { decision: "approve" }],
    ] as const)
      assert.equal((await as(token, method, path, body)).code, "forbidden", path);
  });

  it("are not made with what their maker may not do, with what takes a person, or for more than a year", async () => {
    const wish = (scopes: string[], life: number) => ({ name: "ci", scopes, expiresAt: later(life) });
    assert.equal((await as(auditor, "POST", "/tokens", wish(["hosts:write"], HOUR))).code, "forbidden");
    for (const scope of ["approvals:answer", "approvals:request", "tokens:write", "everything"])
      assert.equal(
        (await as(admin, "POST", "/tokens", wish([scope], HOUR))).code,
        "message-malformed",
        scope,
      );
    for (const life of [-1, 0, 367 * 24 * HOUR])
      assert.equal(
        (await as(admin, "POST", "/tokens", wish(["hosts:read"], life))).code,
        "message-malformed",
      );
  });

  it("are worthless when they end, when they are revoked, and when one digit is wrong", async () => {
    const made = await make(admin, ["hosts:read"]);
    const wrong = made.token.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    assert.equal(isPlausibleToken(made.token), true);
    assert.equal(isPlausibleToken(wrong), false);
    assert.equal((await as(wrong, "GET", "/hosts")).code, "unauthenticated");
    plane.clock.offset = (HOUR + 1) * 1000;
    assert.equal((await as(made.token, "GET", "/hosts")).code, "unauthenticated");
    plane.clock.offset = 0;
    assert.equal((await as(made.token, "GET", "/hosts")).status, 200);
    assert.equal((await as(admin, "DELETE", `/tokens/${made.id}`)).status, 204);
    assert.equal((await as(made.token, "GET", "/hosts")).code, "unauthenticated");
    assert.equal((await as(admin, "DELETE", `/tokens/${made.id}`)).code, "not-found");
  });

  it("are worthless as soon as their maker has lost the role", async () => {
    const { token } = await make(auditor, ["audit:read"], 300 * 24 * HOUR);
    assert.equal((await as(token, "GET", "/audit/key")).status, 200);
    const staff = plane.config.staff;
    const auditors = staff.splice(1);
    assert.equal((await as(token, "GET", "/audit/key")).code, "forbidden");
    assert.deepEqual((await as(token, "GET", "/engagements")).code, "forbidden");
    staff.push(...auditors.map((one) => ({ ...one, role: "sponsor" as const })));
    assert.equal((await as(token, "GET", "/audit/key")).code, "forbidden");
    staff.splice(1, 1, ...auditors);
    assert.equal((await as(token, "GET", "/audit/key")).status, 200);
  });

  it("are listed to their maker, to an admin all of them, and never with the secret", async () => {
    const made = await make(auditor, ["audit:read"]);
    await as(made.token, "GET", "/audit/key");
    const own = await as(auditor, "GET", "/tokens");
    const all = await as(admin, "GET", "/tokens");
    const mine = (own.body as unknown[]).map((one) => TokenView.parse(one));
    assert.deepEqual([...new Set(mine.map(({ owner }) => owner.subject))], ["audrey"]);
    assert.equal(typeof mine.find(({ id }) => id === made.id)?.lastUsedAt, "number");
    const subjects = (all.body as unknown[]).map((one) => TokenView.parse(one).owner.subject);
    assert.deepEqual([...new Set(subjects)].sort(), ["audrey", "sam"]);
    assert.ok(!JSON.stringify(all.body).includes(made.token));
    const others = await make(admin, ["hosts:read"]);
    assert.equal((await as(auditor, "DELETE", `/tokens/${others.id}`)).code, "not-found");
    assert.equal((await as(others.token, "GET", "/hosts")).status, 200);
  });

  it("of people who are staff by a group hold while the group does, and 30 days after a sign-in", async () => {
    const { idp, config } = plane;
    const account = {
      sub: "grace",
      email: "grace@acme.test",
      emailVerified: true,
      name: "Grace",
      amr: ["mfa"],
    };
    idp.accounts.set("grace", { ...account, groups: ["everybody", "sec-audit"] });
    await assert.rejects(signIn(plane.url, idp.issuer, "grace"), /not-invited/);
    const rule = { issuer: idp.issuer, claim: "groups", group: "sec-audit", role: "auditor" as const };
    config.staffGroups.push(rule);
    const { apiToken, me } = await signIn(plane.url, idp.issuer, "grace");
    assert.deepEqual(me.roles, ["auditor"]);
    const { token } = await make(apiToken, ["audit:read"], 300 * 24 * HOUR);
    const both = async () => [
      (await as(apiToken, "GET", "/audit/key")).status,
      (await as(token, "GET", "/audit/key")).status,
    ];
    assert.deepEqual(await both(), [200, 200]);
    config.staffGroups.splice(0, 1, { ...rule, issuer: "https://idp.vendor.test" });
    assert.deepEqual(await both(), [403, 403], "the entry is for another IdP");
    config.staffGroups.splice(0, 1);
    assert.deepEqual(await both(), [403, 403], "the configuration names the group no more");
    config.staffGroups.push(rule);
    plane.clock.offset = 29 * 24 * HOUR * 1000;
    assert.deepEqual(await both(), [401, 200]);
    plane.clock.offset = 31 * 24 * HOUR * 1000;
    assert.deepEqual(await both(), [401, 403], "nobody knows whether they are still there");
    plane.clock.offset = 0;
    assert.deepEqual(await both(), [200, 200]);
    idp.accounts.set("grace", { ...account, groups: ["everybody"] });
    await assert.rejects(signIn(plane.url, idp.issuer, "grace"), /not-invited/);
    assert.deepEqual(await both(), [403, 403], "the IdP says that they left the group");
  });

  it("of people whose e-mail nobody vouches for say in the audit log who they are, not what they call themselves", async () => {
    const { idp, config } = plane;
    const rule = { issuer: idp.issuer, claim: "groups", group: "sec-audit", role: "auditor" as const };
    config.staffGroups.splice(0, Number.POSITIVE_INFINITY, rule);
    idp.accounts.set("mallory", {
      ...{ sub: "mallory", email: "mallory@acme.test", emailVerified: false, name: "sec@acme.test", amr: [] },
      groups: ["sec-audit"],
    });
    const { apiToken } = await signIn(plane.url, idp.issuer, "mallory");
    const { id } = await make(apiToken, ["audit:read"]);
    const db = await plane.database();
    const events = await db.selectFrom("audit_events").selectAll().where("type", "=", "token-made").execute();
    await db.destroy();
    const actor = events.find(({ data_json }) => data_json.includes(id))?.actor;
    assert.equal(actor, `mallory at ${idp.issuer} (sec@acme.test)`);
  });

  it("of the bootstrap are an admin's for an hour, but answer and make nothing in a person's name", async () => {
    const { environment } = plane;
    const db = await plane.database();
    const first = await makeBootstrapToken({ db, environment }, plane.url);
    const { token } = await makeBootstrapToken({ db, environment }, plane.url);
    await db.destroy();
    assert.equal((await as(first.token, "GET", "/me")).code, "unauthenticated", "an earlier one ends");
    const me = (await as(token, "GET", "/me")).body as { roles: string[] };
    assert.deepEqual(me.roles, ["admin"]);
    assert.equal(
      (await as(token, "POST", "/join-tokens", { name: "web-3", address: "127.0.0.1" })).status,
      201,
    );
    for (const [path, body] of [
      ["/tokens", { name: "x", scopes: ["hosts:read"], expiresAt: later(60) }],
      ["/approvals/x/answer", { decision: "approve" }],
      ["/web-sessions", {}],
    ] as const)
      assert.equal((await as(token, "POST", path, body)).code, "forbidden", path);
    plane.clock.offset = (HOUR + 1) * 1000;
    assert.equal((await as(token, "GET", "/me")).code, "unauthenticated");
  });
});
