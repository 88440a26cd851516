import assert from "node:assert/strict";
import { createApp } from "@sallyport/control-plane/http/app.ts";
import { idpRoutes } from "@sallyport/control-plane/http/idp/idp-routes.ts";
import type { Services } from "@sallyport/control-plane/http/services.ts";
import { Validator } from "@seriousme/openapi-schema-validator";
import { MAY, ROLES, ROWS, type Row, type TableRole, type Things } from "./support/access-table.ts";
import { type Answer, call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import {
  type Document,
  DocumentedAnswers,
  type DocumentedRoute,
  documentedRoutes,
} from "./support/documented-answers.ts";
import { connect, enrol, makeRecording, type TestHost } from "./support/host.ts";

const vendors = (name: string, rest = "start: 2020-01-01") => `
  - name: ${name}
    vendor: vendor
    members: [dana@vendor.test, rob@vendor.test]
    sponsor: spo@acme.test
    hosts: { names: [web-1] }
    accounts: [deploy]
    end: 2090-01-01
    contact: sec@acme.test
    ${rest}`;
const POLICY = `
version: 1
members:
  - { name: Dana Doe, email: dana@vendor.test, vendor: vendor }
  - { name: Rob Revoked, email: rob@vendor.test, vendor: vendor }
  - { name: Rita Rival, email: rita@rival.test, vendor: rival }
engagements:${[
  vendors("web-work"),
  vendors("asked-work", "start: 2020-01-01\n    approval: { rule: activation }"),
  vendors("own-work", "start: 2020-01-01\n    approval: { rule: login }"),
  vendors("later-work", "start: 2089-01-01"),
].join("")}
  - name: rival-work
    vendor: rival
    members: [rita@rival.test]
    sponsor: other@acme.test
    hosts: { names: [rival-1] }
    accounts: [deploy]
    start: 2020-01-01
    end: 2090-01-01
    contact: sec@acme.test
`;

const STAFF = [
  { email: "sec@acme.test", role: "admin" },
  { email: "audit@acme.test", roles: ["auditor"] },
  { email: "spo@acme.test", role: "sponsor" },
  { email: "other@acme.test", role: "sponsor" },
  { email: "appr@acme.test", role: "approver" },
];

/** Who signs in as whom. */
const PEOPLE: Partial<Record<TableRole, string>> = {
  contractor: "dana",
  rival: "rita",
  revoked: "rob",
  sponsor: "spo",
  otherSponsor: "other",
  approver: "appr",
  auditor: "audrey",
  admin: "sam",
};

const MORE_ACCOUNTS: [sub: string, email: string][] = [
  ["rita", "rita@rival.test"],
  ["rob", "rob@vendor.test"],
  ["spo", "spo@acme.test"],
  ["other", "other@acme.test"],
  ["appr", "appr@acme.test"],
];

/** What tells of one vendor, and must not reach those who have only to do with the other. */
const VENDORS_OWN = [
  "web-work",
  "asked-work",
  "own-work",
  "later-work",
  "Dana Doe",
  "dana@vendor.test",
  "web-1",
  "spo@acme.test",
];
const RIVALS_OWN = ["rival-work", "Rita Rival", "rita@rival.test", "rival-1"];

describe("who may do what", () => {
  let plane: TestControlPlane;
  let document: Document;
  let answers: DocumentedAnswers;
  const things: Things = { session: "", request: "", ownRequest: "" };
  const tokens: Partial<Record<TableRole, string>> = {};
  const sign = async (sub: string) => (await signIn(plane.url, plane.idp.issuer, sub)).apiToken;
  const post = async <T>(role: TableRole, path: string, body: object) =>
    (await callAs(role, "POST", path, body)).body as T;
  const callAs = (role: TableRole, method: string, path: string, body?: unknown) =>
    call(plane.url, method, path, {
      ...(tokens[role] === undefined ? {} : { token: tokens[role] }),
      ...(body === undefined ? {} : { body }),
    });

  before(async () => {
    const config = {
      staff: STAFF,
      rateLimit: { perSecond: 10_000, burst: 10_000, failures: { burst: 10_000 } },
    };
    plane = await startTestControlPlane({ config });
    for (const [sub, email] of MORE_ACCOUNTS)
      plane.idp.accounts.set(sub, { sub, email, emailVerified: true, name: sub, amr: ["mfa"] });
    plane.writePolicy(POLICY);
    await plane.running.reloadPolicy();
    for (const role of ROLES) {
      const sub = PEOPLE[role];
      if (sub !== undefined) tokens[role] = await sign(sub);
    }
    await post("admin", "/revocations", { level: "member", target: "rob@vendor.test", reason: "gone" });
    const hosts: TestHost[] = [];
    for (const name of ["web-1", "rival-1"]) {
      const { joinToken } = await post<{ joinToken: string }>("admin", "/join-tokens", {
        name,
        address: "127.0.0.1",
      });
      hosts.push(await enrol(plane.url, joinToken));
    }
    const now = Math.floor(Date.now() / 1000);
    const wish = { name: "ci", scopes: ["engagements:read", "approvals:read"] };
    for (const [role, life] of [
      ["token", 3600],
      ["expired", 60],
    ] as const)
      tokens[role] = (
        await post<{ token: string }>("admin", "/tokens", { ...wish, expiresAt: now + life })
      ).token;
    const engagements = (await callAs("admin", "GET", "/engagements")).body as { id: string; name: string }[];
    for (const [index, [role, sub, person, name]] of (
      [
        ["contractor", "dana", "Dana Doe", "web-work"],
        ["rival", "rita", "Rita Rival", "rival-work"],
      ] as const
    ).entries()) {
      const host = hosts[index];
      const id = engagements.find((one) => one.name === name)?.id ?? "";
      if (host === undefined) throw new Error("no host");
      const me = (await callAs(role, "GET", "/me")).body as { memberId: string };
      const who = { id: me.memberId, issuer: plane.idp.issuer, subject: sub };
      const recording = makeRecording(host, who, {
        start: {
          engagement: { id, name },
          member: { ...who, name: person },
          host: { id: host.id, name: host.name },
        },
      });
      const link = await connect(plane.url, host);
      for (const block of recording.blocks) link.socket.send(block.bytes);
      for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
      if (role === "contractor") things.session = recording.session;
      await link.close();
    }
    const request = { reason: "please" };
    things.request = (
      await post<{ id: string }>("contractor", "/approvals", { engagement: "asked-work", ...request })
    ).id;
    things.ownRequest = (
      await post<{ id: string }>("contractor", "/approvals", { engagement: "own-work", ...request })
    ).id;
    document = (await call(plane.url, "GET", "/openapi.json")).body as Document;
    answers = new DocumentedAnswers(document);
    plane.clock.offset = 120_000;
  });
  after(() => plane.close());

  it("is described in a valid OpenAPI document", async () => {
    const { valid, errors } = await new Validator().validate({ ...structuredClone(document) });
    assert.equal(valid, true, JSON.stringify(errors));
    assert.match(document.openapi, /^3\.1\./);
  });

  it("has every route of the application in the document, and no other", () => {
    const { config, environment } = plane;
    const services = { config, environment, metrics: {} } as unknown as Services;
    const app = createApp(services);
    // Those have the standards' paths and descriptions.
    const known = app.routes.length;
    idpRoutes(app, services);
    const standard = new Set(app.routes.splice(known).map(({ path }) => path));
    assert.deepEqual(
      [...standard].filter((path) => path.startsWith("/api/")),
      [],
    );
    const real = app.routes
      .filter(({ method, path }) => method !== "ALL" && path !== "/" && !path.startsWith("/web"))
      .filter(({ path }) => !standard.has(path))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    assert.deepEqual(
      documentedRoutes(document)
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
      [...new Set(real)].sort(),
    );
  });

  it("has a row for every route, and no other", () => {
    const routes = documentedRoutes(document).map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(Object.keys(ROWS).sort(), routes.sort());
    const permissions = documentedRoutes(document).map(({ access }) => access);
    assert.deepEqual(
      [...new Set(permissions)].filter((access) => !["public", "self"].includes(access) && !(access in MAY)),
      [],
    );
  });

  for (const [name, row] of Object.entries(ROWS)) {
    for (const role of ROLES) {
      it(`${name} as ${role}`, async () => {
        const route = documentedRoutes(document).find(({ method, path }) => `${method} ${path}` === name);
        assert.ok(route !== undefined, "no such route");
        const { path, query } = addressOf(route, row);
        const answer = await call(plane.url, route.method, query === "" ? path : `${path}?${query}`, {
          ...(tokens[role] === undefined ? {} : { token: tokens[role] }),
          ...(row.body === undefined ? {} : { body: row.body }),
          base: "",
        });
        assert.equal(answer.status, expected(route, row, role), answer.message);
        assert.deepEqual(answers.problemsOf(route, answer), []);
        checkHeaders(answer);
        const foreign =
          role === "rival" || role === "otherSponsor"
            ? VENDORS_OWN
            : role === "contractor" || role === "sponsor"
              ? RIVALS_OWN
              : [];
        const asked = `${path} ${query} ${JSON.stringify(row.body ?? "")}`;
        const text = JSON.stringify(answer.body);
        const told = foreign.filter((word) => !asked.includes(word) && text.includes(word));
        assert.deepEqual(told, []);
      });
    }
  }

  function addressOf({ path }: DocumentedRoute, { path: parameters = {}, query = "" }: Row) {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
      const value = parameters[name];
      if (value === undefined) throw new Error(`the row says nothing of {${name}}`);
      return encodeURIComponent(typeof value === "string" ? things[value] : value.literal);
    });
    return { path: filled, query };
  }
});

/** What a row and the document's `x-access` come to. */
function expected({ access, takesTokens, success }: DocumentedRoute, row: Row, role: TableRole): number {
  const status = row.but?.[role] ?? row.status ?? success;
  if (access === "public") return status;
  if (role === "nobody" || role === "expired") return 401;
  if (access === "self") return role !== "token" || takesTokens ? status : 403;
  if (!MAY[access]?.includes(role)) return 403;
  return row.seenBy === undefined || row.seenBy.includes(role) ? status : 404;
}

function checkHeaders({ headers }: Answer): void {
  assert.equal(headers.get("cache-control"), "no-store");
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none'/);
  assert.equal(headers.get("x-frame-options"), "DENY");
}
