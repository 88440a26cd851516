import assert from "node:assert/strict";
import { addRevocation } from "@sallyport/control-plane/database/revocations.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { identityTarget } from "@sallyport/core/policy/revocation.ts";
import { call, certificateRequest, challenge, makeClientKey, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import {
  ENTERPRISE_SCHEMA,
  GROUP_SCHEMA,
  patchOf,
  type ScimClient,
  scimClient,
  tokenFiles,
  USER_SCHEMA,
} from "./support/scim-client.ts";
import { signInAtIdp } from "./support/sign-in.ts";

const TOKEN = "test-idp-scim-token-of-32-characters-1";
const OTHER_TOKEN = "other-idp-scim-token-of-32-characters";
const OTHER = "https://other.idp.test";

describe("SCIM 2.0 server", () => {
  const files = tokenFiles({ own: `${TOKEN}\n`, other: `${OTHER_TOKEN}\n` });
  let plane: TestControlPlane;
  let db: Database;
  let idp: ScimClient;
  let other: ScimClient;

  before(async () => {
    plane = await startTestControlPlane({
      issuer: { scim: { tokenFile: files.path("own") } },
      moreIssuers: [
        {
          ...{ name: "Other IdP", issuer: OTHER, clientId: "other" },
          scim: { tokenFile: files.path("other"), requireGroup: "Sallyport" },
        },
      ],
      config: { rateLimit: { failures: { perSecond: 1000, burst: 1000 } } },
    });
    db = await plane.database();
    idp = scimClient(plane.url, TOKEN);
    other = scimClient(plane.url, OTHER_TOKEN);
    // Dana and Sam have signed in, so that their identities are known; Eve has not.
    await signIn(plane.url, plane.idp.issuer, "dana");
    await signIn(plane.url, plane.idp.issuer, "sam");
  });

  after(async () => {
    await db.destroy();
    await plane.close();
    files.remove();
  });

  /** Every entry of the list about a subject: `null` is disabled, a number is enabled again. */
  async function entriesOf(subject: string, issuer = plane.idp.issuer): Promise<(number | null)[]> {
    const rows = await db
      .selectFrom("revocations")
      .select("signed_in_before")
      .where("level", "=", "identity")
      .where("target", "=", identityTarget(issuer, subject))
      .orderBy("sequence")
      .execute();
    return rows.map((row) => row.signed_in_before);
  }

  async function countOf(table: "revocations" | "scim_users" | "scim_groups"): Promise<number> {
    return (await db.selectFrom(table).select("id").execute()).length;
  }

  async function auditOf(type: string): Promise<{ actor: string; data: Record<string, unknown> }[]> {
    const rows = await db
      .selectFrom("audit_events")
      .select(["actor", "data_json"])
      .where("type", "=", type)
      .orderBy("leaf_index")
      .execute();
    return rows.map(({ actor, data_json }) => ({ actor, data: JSON.parse(data_json) }));
  }

  async function create(client: ScimClient, user: object): Promise<string> {
    const { status, body } = await client.request("POST", "/Users", {
      body: { schemas: [USER_SCHEMA], ...user },
    });
    assert.equal(status, 201, JSON.stringify(body));
    return body.id;
  }

  async function trySignIn(sub: string): Promise<string> {
    const key = makeClientKey();
    const idToken = await signInAtIdp(plane.idp.issuer, sub, key.nonce);
    const body = certificateRequest(key, idToken, await challenge(plane.url));
    const answer = await call(plane.url, "POST", "/certificates", { body });
    return answer.status === 201 ? "signed in" : `${answer.code}: ${answer.message}`;
  }

  describe("as Okta speaks to it", () => {
    let id = "";

    it("answers the connection test", async () => {
      const { status, body, headers } = await idp.request("GET", "/Users?startIndex=1&count=2");
      assert.equal(status, 200);
      assert.match(headers.get("content-type") ?? "", /^application\/scim\+json/);
      assert.deepEqual(body.schemas, ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]);
      assert.equal(body.startIndex, 1);
      assert.equal(body.itemsPerPage, body.Resources.length);
      assert.ok(body.itemsPerPage <= 2 && body.totalResults >= body.itemsPerPage);
    });

    it("finds nobody, and takes who is assigned", async () => {
      const query = encodeURIComponent('userName eq "dana@vendor.test"');
      const found = await idp.request("GET", `/Users?filter=${query}&startIndex=1&count=100`);
      assert.equal(found.body.totalResults, 0);
      const { status, body, headers } = await idp.request("POST", "/Users", {
        body: {
          schemas: [USER_SCHEMA],
          userName: "dana@vendor.test",
          name: { givenName: "Dana", familyName: "Doe" },
          emails: [{ primary: true, value: "dana@vendor.test", type: "work", display: "dana@vendor.test" }],
          displayName: "Dana Doe",
          locale: "en-US",
          externalId: "dana",
          groups: [],
          password: "1mz050nq",
          active: true,
        },
      });
      assert.equal(status, 201);
      id = body.id;
      assert.equal(headers.get("location"), `${plane.url}/scim/v2/Users/${id}`);
      assert.equal(headers.get("etag"), 'W/"1"');
      assert.equal(body.meta.resourceType, "User");
      assert.equal(body.meta.location, headers.get("location"));
      assert.equal(body.name.givenName, "Dana");
      assert.equal(body.active, true);
      assert.equal("password" in body || "groups" in body, false);
      const stored = await db.selectFrom("scim_users").select("resource_json").execute();
      assert.doesNotMatch(JSON.stringify(stored), /1mz050nq/);
      const again = await idp.request("GET", `/Users?filter=${query}&startIndex=1&count=100`);
      assert.deepEqual([again.body.totalResults, again.body.Resources[0].id], [1, id]);
      assert.deepEqual(await entriesOf("dana"), []);
    });

    it("refuses the same name twice, in any case", async () => {
      const body = { schemas: [USER_SCHEMA], userName: "DANA@vendor.test" };
      const answer = await idp.request("POST", "/Users", { body });
      assert.deepEqual([answer.status, answer.body.scimType, answer.body.status], [409, "uniqueness", "409"]);
    });

    it("disables on the path-less PATCH of a deactivation, once", async () => {
      const deactivate = { body: patchOf({ op: "replace", value: { active: false } }) };
      const first = await idp.request("PATCH", `/Users/${id}`, deactivate);
      assert.deepEqual([first.status, first.body.active, first.headers.get("etag")], [200, false, 'W/"2"']);
      assert.deepEqual(await entriesOf("dana"), [null]);
      const second = await idp.request("PATCH", `/Users/${id}`, deactivate);
      assert.deepEqual(
        [second.status, second.body.active, second.headers.get("etag")],
        [200, false, 'W/"2"'],
      );
      assert.deepEqual(await entriesOf("dana"), [null]);
      assert.match(await trySignIn("dana"), /^forbidden: .*disabled at Test IdP/);
    });

    it("still shows who is disabled", async () => {
      const { status, body } = await idp.request("GET", `/Users/${id}`);
      assert.deepEqual([status, body.active], [200, false]);
    });

    it("enables again, and what was before stays gone", async () => {
      const body = patchOf({ op: "replace", value: { active: true } });
      assert.equal((await idp.request("PATCH", `/Users/${id}`, { body })).body.active, true);
      const [first, second, ...more] = await entriesOf("dana");
      assert.equal(first, null);
      assert.ok(second != null && more.length === 0);
      const lifted = await auditOf("revocation-lifted");
      assert.equal(lifted.at(-1)?.actor, "SCIM of Test IdP");
    });

    it("disables on a PUT with everything in it", async () => {
      const { body } = await idp.request("GET", `/Users/${id}`);
      const answer = await idp.request("PUT", `/Users/${id}`, { body: { ...body, active: false } });
      assert.deepEqual([answer.status, answer.body.active], [200, false]);
      assert.equal((await entriesOf("dana")).at(-1), null);
      await idp.request("PUT", `/Users/${id}`, { body: { ...body, active: true } });
      assert.notEqual((await entriesOf("dana")).at(-1), null);
    });

    it("pushes groups: made, filled, renamed with its id repeated, emptied, deleted", async () => {
      const made = await idp.request("POST", "/Groups", {
        body: { schemas: [GROUP_SCHEMA], displayName: "Contractors", members: [] },
      });
      assert.deepEqual([made.status, made.body.displayName], [201, "Contractors"]);
      const group = `/Groups/${made.body.id}`;
      const add = patchOf({
        op: "add",
        path: "members",
        value: [{ value: id, display: "dana@vendor.test" }],
      });
      assert.equal((await idp.request("PATCH", group, { body: add })).status, 204);
      const filled = await idp.request("GET", group);
      assert.deepEqual(
        filled.body.members.map((member: { value: string }) => member.value),
        [id],
      );
      const rename = patchOf({ op: "replace", value: { id: made.body.id, displayName: "Partners" } });
      assert.equal((await idp.request("PATCH", group, { body: rename })).status, 204);
      const remove = patchOf({ op: "remove", path: `members[value eq "${id}"]` });
      assert.equal((await idp.request("PATCH", group, { body: remove })).status, 204);
      const emptied = await idp.request("GET", group);
      assert.deepEqual([emptied.body.displayName, emptied.body.members], ["Partners", undefined]);
      assert.equal((await idp.request("DELETE", group)).status, 204);
      assert.equal((await idp.request("GET", group)).status, 404);
    });
  });

  describe("as Entra ID speaks to it", () => {
    let id = "";

    it("asks for somebody who is not there, and creates", async () => {
      const query = encodeURIComponent('userName eq "5d48c2b9-nobody"');
      const found = await idp.request("GET", `/Users?filter=${query}`);
      assert.deepEqual([found.status, found.body.totalResults, found.body.Resources], [200, 0, []]);
      id = await create(idp, {
        schemas: [USER_SCHEMA, ENTERPRISE_SCHEMA],
        externalId: "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        userName: "sec@acme.test",
        active: true,
        emails: [{ primary: true, type: "work", value: "sec@acme.test" }],
        meta: { resourceType: "User" },
        name: { formatted: "Sam Security", familyName: "Security", givenName: "Sam" },
        roles: [],
      });
    });

    it("adds and replaces by paths with filters, the manager as text, and keys that are paths", async () => {
      const answer = await idp.request("PATCH", `/Users/${id}`, {
        body: patchOf(
          { op: "Add", path: `${ENTERPRISE_SCHEMA}:manager`, value: "scu_manager" },
          { op: "Add", path: 'phoneNumbers[type eq "work"].value', value: "+1 555 0100" },
          { op: "Replace", path: 'emails[type eq "work"].value', value: "sec@acme.test" },
          {
            op: "Replace",
            value: {
              displayName: "Sam",
              "name.familyName": "Sure",
              [`${ENTERPRISE_SCHEMA}:department`]: "Audit",
              'addresses[type eq "work"].locality': "Bern",
              "urn:example:params:unknown:attribute": "x",
            },
          },
        ),
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      const { body } = answer;
      assert.deepEqual(body.schemas, [USER_SCHEMA, ENTERPRISE_SCHEMA]);
      assert.deepEqual(body[ENTERPRISE_SCHEMA], { manager: { value: "scu_manager" }, department: "Audit" });
      assert.deepEqual(body.phoneNumbers, [{ type: "work", value: "+1 555 0100" }]);
      assert.deepEqual(body.addresses, [{ type: "work", locality: "Bern" }]);
      assert.deepEqual([body.displayName, body.name.familyName], ["Sam", "Sure"]);
      assert.deepEqual(body.emails, [{ primary: true, type: "work", value: "sec@acme.test" }]);
    });

    it('disables by "Replace" and "False", found by the e-mail as the external id is nobody\'s subject', async () => {
      const body = patchOf({ op: "Replace", path: "active", value: "False" });
      const answer = await idp.request("PATCH", `/Users/${id}`, { body });
      assert.deepEqual([answer.status, answer.body.active], [200, false]);
      assert.deepEqual(await entriesOf("sam"), [null]);
      const query = encodeURIComponent('userName eq "SEC@acme.test"');
      const found = await idp.request("GET", `/Users?filter=${query}`);
      assert.deepEqual([found.body.totalResults, found.body.Resources[0].active], [1, false]);
      const enable = patchOf({ op: "Replace", path: "active", value: "True" });
      assert.equal((await idp.request("PATCH", `/Users/${id}`, { body: enable })).body.active, true);
      assert.equal((await entriesOf("sam")).length, 2);
    });

    it("changes groups: members in the value of a removal are those that go, not all", async () => {
      const second = await create(idp, { userName: "second@acme.test", externalId: "second" });
      const made = await idp.request("POST", "/Groups", {
        body: {
          schemas: [GROUP_SCHEMA],
          externalId: "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
          displayName: "Entra group",
          meta: { resourceType: "Group" },
        },
      });
      const group = `/Groups/${made.body.id}`;
      const value = [
        { $ref: null, value: id },
        { $ref: null, value: second },
      ];
      const add = patchOf({ op: "Add", path: "members", value });
      assert.equal((await idp.request("PATCH", group, { body: add })).status, 204);
      const without = await idp.request("GET", `${group}?excludedAttributes=members`);
      assert.equal("members" in without.body, false);
      const query = encodeURIComponent(`displayName eq "Entra group"`);
      const listed = await idp.request("GET", `/Groups?excludedAttributes=members&filter=${query}`);
      assert.deepEqual([listed.body.totalResults, listed.body.Resources[0].id], [1, made.body.id]);
      const asks = encodeURIComponent(`id eq "${made.body.id}" and members eq "${second}"`);
      assert.equal((await idp.request("GET", `/Groups?filter=${asks}`)).body.totalResults, 1);
      const remove = patchOf({ op: "Remove", path: "members", value: [{ $ref: null, value: second }] });
      assert.equal((await idp.request("PATCH", group, { body: remove })).status, 204);
      const left = await idp.request("GET", group);
      assert.deepEqual(
        left.body.members.map((member: { value: string }) => member.value),
        [id],
      );
      await idp.request("DELETE", group);
      await idp.request("DELETE", `/Users/${second}`);
    });

    it("deletes, which disables until they are created again", async () => {
      assert.equal((await idp.request("DELETE", `/Users/${id}`)).status, 204);
      assert.equal((await idp.request("GET", `/Users/${id}`)).status, 404);
      assert.equal((await entriesOf("sam")).at(-1), null);
      const again = await create(idp, {
        externalId: "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        userName: "sec@acme.test",
      });
      assert.notEqual(again, id);
      assert.notEqual((await entriesOf("sam")).at(-1), null);
    });
  });

  it("says what it can do", async () => {
    const config = (await idp.request("GET", "/ServiceProviderConfig")).body;
    assert.deepEqual(
      [config.patch.supported, config.bulk.supported, config.filter.supported, config.etag.supported],
      [true, false, true, true],
    );
    const types = (await idp.request("GET", "/ResourceTypes")).body;
    assert.deepEqual(
      types.Resources.map(({ endpoint }: { endpoint: string }) => endpoint),
      ["/Users", "/Groups"],
    );
    const schemas = (await idp.request("GET", "/Schemas")).body;
    assert.equal(schemas.totalResults, 3);
    const user = (await idp.request("GET", `/Schemas/${USER_SCHEMA}`)).body;
    const names = user.attributes.map(({ name }: { name: string }) => name);
    assert.ok(names.includes("userName") && !names.includes("password") && !names.includes("groups"));
    assert.equal((await idp.request("GET", "/ResourceTypes/User")).body.schema, USER_SCHEMA);
  });

  it("pages, filters, projects, and answers a search by POST", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++)
      ids.push(await create(idp, { userName: `page${n}@page.test`, title: n % 2 === 0 ? "Even" : "Odd" }));
    const body = {
      schemas: ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
      filter: 'userName ew "@page.test" and not (title eq "odd")',
      attributes: ["userName"],
      ...{ startIndex: 2, count: 1 },
    };
    const found = await idp.request("POST", "/Users/.search", { body });
    assert.deepEqual(
      [found.status, found.body.totalResults, found.body.startIndex, found.body.itemsPerPage],
      [200, 3, 2, 1],
    );
    assert.deepEqual(Object.keys(found.body.Resources[0]).sort(), ["id", "schemas", "userName"]);
    const none = await idp.request("GET", "/Users?count=0");
    assert.ok(none.body.totalResults >= 5 && none.body.Resources.length === 0);
    for (const id of ids) assert.equal((await idp.request("DELETE", `/Users/${id}`)).status, 204);
  });

  it("keeps changes apart by ETags", async () => {
    const id = await create(idp, { userName: "etag@vendor.test" });
    const same = await idp.request("GET", `/Users/${id}`, { headers: { "if-none-match": 'W/"1"' } });
    assert.deepEqual([same.status, same.body], [304, null]);
    const body = patchOf({ op: "replace", path: "active", value: false });
    const stale = await idp.request("PATCH", `/Users/${id}`, { body, headers: { "if-match": 'W/"7"' } });
    assert.deepEqual([stale.status, stale.body.status], [412, "412"]);
    assert.equal((await idp.request("GET", `/Users/${id}`)).body.active, true);
    const fresh = await idp.request("PATCH", `/Users/${id}`, { body, headers: { "if-match": 'W/"1"' } });
    assert.deepEqual([fresh.status, fresh.headers.get("etag")], [200, 'W/"2"']);
    await idp.request("DELETE", `/Users/${id}`);
  });

  it("refuses the first sign-in of whom the IdP has disabled before", async () => {
    const id = await create(idp, { userName: "eve@vendor.test", active: false });
    assert.match(await trySignIn("eve"), /^forbidden: Test IdP says that this account has no access/);
    assert.deepEqual(
      await db.selectFrom("identities").selectAll().where("subject", "=", "eve").execute(),
      [],
    );
    const body = patchOf({ op: "replace", value: { active: true } });
    await idp.request("PATCH", `/Users/${id}`, { body });
    assert.equal(await trySignIn("eve"), "signed in");
  });

  it("does not give back what the security team took", async () => {
    const { apiToken } = await signIn(plane.url, plane.idp.issuer, "audrey").catch(() => ({ apiToken: "" }));
    assert.notEqual(apiToken, "");
    const id = await create(idp, { userName: "audit@acme.test", externalId: "audrey" });
    const target = identityTarget(plane.idp.issuer, "audrey");
    await addRevocation(db, {
      ...{ id: "rev_00000000000000000000000001", level: "identity", target, at: 1, by: "sec@acme.test" },
      reason: "lost laptop",
    });
    for (const value of [false, true]) {
      const body = patchOf({ op: "replace", path: "active", value });
      assert.equal((await idp.request("PATCH", `/Users/${id}`, { body })).body.active, value);
    }
    assert.deepEqual(await entriesOf("audrey"), [null]);
  });

  it("follows the group that gives access", async () => {
    await db
      .insertInto("staff_identities")
      .values({ issuer: OTHER, subject: "olga", email: "olga@other.test", pinned_at: 1 })
      .execute();
    const id = await create(other, { userName: "olga@other.test", externalId: "olga" });
    assert.deepEqual(await entriesOf("olga", OTHER), [null], "not in the group yet");
    const made = await other.request("POST", "/Groups", {
      body: { schemas: [GROUP_SCHEMA], displayName: "sallyport", members: [{ value: id }] },
    });
    assert.equal(made.status, 201);
    assert.equal((await entriesOf("olga", OTHER)).length, 2);
    const remove = patchOf({ op: "remove", path: `members[value eq "${id}"]` });
    assert.equal((await other.request("PATCH", `/Groups/${made.body.id}`, { body: remove })).status, 204);
    assert.equal((await entriesOf("olga", OTHER)).at(-1), null);
    const add = patchOf({ op: "add", path: "members", value: { value: id } });
    await other.request("PATCH", `/Groups/${made.body.id}`, { body: add });
    assert.equal((await entriesOf("olga", OTHER)).length, 4);
    const rename = patchOf({ op: "replace", path: "displayName", value: "Something else" });
    await other.request("PATCH", `/Groups/${made.body.id}`, { body: rename });
    assert.deepEqual(
      [(await entriesOf("olga", OTHER)).length, (await entriesOf("olga", OTHER)).at(-1)],
      [5, null],
    );
    const back = patchOf({ op: "replace", path: "displayName", value: "SALLYPORT" });
    await other.request("PATCH", `/Groups/${made.body.id}`, { body: back });
    assert.equal((await other.request("DELETE", `/Groups/${made.body.id}`)).status, 204);
    assert.deepEqual(
      [(await entriesOf("olga", OTHER)).length, (await entriesOf("olga", OTHER)).at(-1)],
      [7, null],
    );
  });

  it("takes new tokens while it runs, and the old one only as long as it stands in the file", async () => {
    const next = "the-next-scim-token-of-the-test-idp-32";
    files.write("own", `${TOKEN}\n${next}\n`);
    plane.clock.offset += 2000;
    for (const token of [TOKEN, next])
      assert.equal((await scimClient(plane.url, token).request("GET", "/Users?count=1")).status, 200);
    files.write("own", `${next}\n\n`);
    plane.clock.offset += 2000;
    assert.equal((await idp.request("GET", "/Users?count=1")).status, 401);
    files.write("own", `${TOKEN}\n`);
    plane.clock.offset += 2000;
    assert.equal((await idp.request("GET", "/Users?count=1")).status, 200);
  });

  describe("hostile and broken requests", () => {
    let id = "";
    let foreign = "";
    before(async () => {
      id = await create(idp, { userName: "victim@vendor.test", externalId: "victim" });
      foreign = await create(other, { userName: "foreign@other.test", externalId: "foreign" });
    });

    const off = patchOf({ op: "replace", path: "active", value: false });
    const evil = (path: string, value: unknown = "x") => patchOf({ op: "replace", path, value });
    type Row = {
      what: string;
      method?: string;
      path?: string;
      body?: unknown;
      headers?: Record<string, string>;
      status: number;
      scimType?: string;
    };
    const rows: Row[] = [
      { what: "no token", headers: { authorization: "" }, body: off, status: 401 },
      { what: "a wrong token", headers: { authorization: `Bearer ${TOKEN}x` }, body: off, status: 401 },
      { what: "a token as Basic", headers: { authorization: `Basic ${TOKEN}` }, body: off, status: 401 },
      { what: "another IdP's user", path: "/Users/FOREIGN", body: off, status: 404 },
      { what: "deleting another IdP's user", method: "DELETE", path: "/Users/FOREIGN", status: 404 },
      {
        what: "replacing another IdP's user",
        method: "PUT",
        path: "/Users/FOREIGN",
        body: { schemas: [USER_SCHEMA], userName: "x" },
        status: 404,
      },
      { what: "reading another IdP's user", method: "GET", path: "/Users/FOREIGN", status: 404 },
      {
        what: "another IdP's user as a member",
        method: "POST",
        path: "/Groups",
        body: { schemas: [GROUP_SCHEMA], displayName: "x", members: [{ value: "FOREIGN" }] },
        status: 400,
        scimType: "invalidValue",
      },
      { what: "nobody", path: "/Users/scu_0", body: off, status: 404 },
      { what: "a path that climbs", method: "GET", path: "/Users/..%2f..%2fapi", status: 404 },
      { what: "no JSON", body: "{", status: 400, scimType: "invalidSyntax" },
      { what: "an array", body: [], status: 400, scimType: "invalidSyntax" },
      { what: "null", body: "null", status: 400, scimType: "invalidSyntax" },
      {
        what: "a form",
        body: "active=false",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        status: 415,
      },
      { what: "XML", body: "<x/>", headers: { "content-type": "text/xml" }, status: 415 },
      { what: "too much", body: `{"x":"${"x".repeat(300_000)}"}`, status: 413 },
      {
        what: "another schema",
        body: { schemas: ["urn:x"], Operations: off.Operations },
        status: 400,
        scimType: "invalidSyntax",
      },
      { what: "no schema", body: { Operations: off.Operations }, status: 400, scimType: "invalidSyntax" },
      { what: "no operations", body: patchOf(), status: 400, scimType: "invalidSyntax" },
      {
        what: "an unknown operation",
        body: patchOf({ op: "move", path: "active" }),
        status: 400,
        scimType: "invalidSyntax",
      },
      {
        what: "1,000 operations",
        body: patchOf(...Array(1000).fill({ op: "replace", path: "title", value: "x" })),
        status: 400,
        scimType: "invalidSyntax",
      },
      {
        what: "removal without a path",
        body: patchOf({ op: "remove", value: { active: true } }),
        status: 400,
        scimType: "noTarget",
      },
      {
        what: "a value that is no object",
        body: patchOf({ op: "replace", value: "active" }),
        status: 400,
        scimType: "invalidValue",
      },
      {
        what: "active as a number",
        body: patchOf({ op: "replace", path: "active", value: 0 }),
        status: 400,
        scimType: "invalidValue",
      },
      {
        what: "active as other text",
        body: patchOf({ op: "replace", path: "active", value: "no" }),
        status: 400,
        scimType: "invalidValue",
      },
      {
        what: "active as a list",
        body: patchOf({ op: "replace", path: "active", value: [false] }),
        status: 400,
        scimType: "invalidValue",
      },
      {
        what: "half of it right",
        body: patchOf(
          { op: "replace", path: "active", value: false },
          { op: "replace", path: "nope", value: 1 },
        ),
        status: 400,
        scimType: "invalidPath",
      },
      { what: "__proto__", body: evil("__proto__.polluted"), status: 400, scimType: "invalidPath" },
      {
        what: "__proto__ in a URN",
        body: evil(`${USER_SCHEMA}:__proto__.polluted`),
        status: 400,
        scimType: "invalidPath",
      },
      { what: "__proto__ behind a dot", body: evil("name.__proto__"), status: 400, scimType: "invalidPath" },
      {
        what: "constructor.prototype",
        body: evil("constructor.prototype"),
        status: 400,
        scimType: "invalidPath",
      },
      {
        what: "__proto__ in brackets",
        body: evil('emails[__proto__.polluted eq "x"].value'),
        status: 400,
        scimType: "invalidPath",
      },
      { what: "a broken bracket", body: evil('emails[type eq "work"'), status: 400, scimType: "invalidPath" },
      {
        what: "brackets behind one value",
        body: evil('name[x eq "y"]'),
        status: 400,
        scimType: "invalidPath",
      },
      {
        what: "a value in brackets that is not there",
        body: patchOf({ op: "replace", path: 'emails[type sw "w"].value', value: "x" }),
        status: 400,
        scimType: "noTarget",
      },
      { what: "another id", body: evil("id", "scu_other"), status: 400, scimType: "mutability" },
      {
        what: "another id without a path",
        body: patchOf({ op: "replace", value: { id: "scu_other", active: false } }),
        status: 400,
        scimType: "mutability",
      },
      { what: "meta", body: evil("meta.version", 'W/"9"'), status: 400, scimType: "mutability" },
      { what: "an old version", body: off, headers: { "if-match": 'W/"99"' }, status: 412 },
      { what: "deleting an old version", method: "DELETE", headers: { "if-match": '"99"' }, status: 412 },
      {
        what: "no userName",
        method: "POST",
        path: "/Users",
        body: { schemas: [USER_SCHEMA], active: true },
        status: 400,
        scimType: "invalidValue",
      },
      {
        what: "userName removed",
        body: patchOf({ op: "remove", path: "userName" }),
        status: 400,
        scimType: "invalidValue",
      },
      {
        what: "userName that is taken",
        method: "POST",
        path: "/Users",
        body: { schemas: [USER_SCHEMA], userName: "VICTIM@vendor.test" },
        status: 409,
        scimType: "uniqueness",
      },
      {
        what: "externalId that is taken",
        method: "POST",
        path: "/Users",
        body: { schemas: [USER_SCHEMA], userName: "v2@vendor.test", externalId: "victim" },
        status: 409,
        scimType: "uniqueness",
      },
      {
        what: "U+0000",
        method: "POST",
        path: "/Users",
        body: { schemas: [USER_SCHEMA], userName: "x\0y" },
        status: 400,
        scimType: "invalidValue",
      },
      {
        what: "a user of 40 KB",
        method: "POST",
        path: "/Users",
        body: {
          ...{ schemas: [USER_SCHEMA], userName: "big@vendor.test" },
          emails: Array.from({ length: 20 }, (_, n) => ({ value: `${n}${"x".repeat(2000)}` })),
        },
        status: 400,
        scimType: "invalidValue",
      },
      {
        what: "half a surrogate pair",
        method: "POST",
        path: "/Users",
        body: '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"\\ud800"}',
        status: 400,
        scimType: "invalidValue",
      },
      {
        what: "a filter without end",
        method: "GET",
        path: "/Users?filter=userName%20eq%20%22x",
        status: 400,
        scimType: "invalidFilter",
      },
      {
        what: "a filter on __proto__",
        method: "GET",
        path: "/Users?filter=__proto__.polluted%20eq%20%22x%22",
        status: 400,
        scimType: "invalidFilter",
      },
      {
        what: "a filter that makes others backtrack",
        method: "GET",
        path: `/Users?filter=userName%20eq%20%22${"%5Ca".repeat(400)}`,
        status: 400,
        scimType: "invalidFilter",
      },
      {
        what: "a filter too deep",
        method: "GET",
        path: `/Users?filter=${"(".repeat(300)}active%20pr${")".repeat(300)}`,
        status: 400,
        scimType: "invalidFilter",
      },
      {
        what: "a filter too long",
        method: "GET",
        path: `/Users?filter=userName%20eq%20%22${"x".repeat(3000)}%22`,
        status: 400,
        scimType: "invalidFilter",
      },
      {
        what: "a filter with SQL in it",
        method: "GET",
        path: `/Users?filter=${encodeURIComponent("userName eq 'x' or 1=1 --")}`,
        status: 400,
        scimType: "invalidFilter",
      },
      {
        what: "a search with a wrong filter",
        method: "POST",
        path: "/Users/.search",
        body: { filter: "userName zz 1" },
        status: 400,
        scimType: "invalidFilter",
      },
      {
        what: "bulk",
        method: "POST",
        path: "/Bulk",
        body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], Operations: [] },
        status: 501,
      },
      { what: "/Me", method: "GET", path: "/Me", status: 501 },
      { what: "something that is not there", method: "GET", path: "/Devices", status: 404 },
    ];
    for (const { what, method = "PATCH", path = "/Users/ID", body, headers = {}, status, scimType } of rows) {
      it(`answers ${status} to ${what}, and nothing happens`, async () => {
        const before = [
          await countOf("revocations"),
          await countOf("scim_users"),
          await countOf("scim_groups"),
        ];
        const at = path.replace("ID", id).replace("FOREIGN", foreign);
        const sent = JSON.parse(JSON.stringify({ body: body ?? null }).replaceAll("FOREIGN", foreign)).body;
        const answer = await idp.request(method, at, { ...(body !== undefined && { body: sent }), headers });
        assert.equal(answer.status, status, JSON.stringify(answer.body));
        assert.deepEqual(answer.body.schemas, ["urn:ietf:params:scim:api:messages:2.0:Error"]);
        assert.deepEqual([answer.body.status, answer.body.scimType], [String(status), scimType]);
        assert.match(answer.headers.get("content-type") ?? "", /^application\/scim\+json/);
        assert.equal(({} as Record<string, unknown>).polluted, undefined);
        assert.deepEqual(
          [await countOf("revocations"), await countOf("scim_users"), await countOf("scim_groups")],
          before,
        );
        const victim = await idp.request("GET", `/Users/${id}`);
        assert.deepEqual([victim.body.active, victim.body.meta.version], [true, 'W/"1"']);
        const untouched = await other.request("GET", `/Users/${foreign}`);
        assert.deepEqual([untouched.status, untouched.body.active], [200, true]);
      });
    }

    it("drops what it does not know from an object, and takes the rest", async () => {
      const body = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"nope":1,"active":"false"}}]}`;
      const answer = await idp.request("PATCH", `/Users/${id}`, { body });
      assert.deepEqual([answer.status, answer.body.active], [200, false]);
      assert.equal(({} as Record<string, unknown>).polluted, undefined);
    });

    it("writes down what it refused of an IdP, and never a token", async () => {
      const refused = await auditOf("idp-notice-refused");
      assert.ok(
        refused.some(({ data }) => data.scimType === "mutability" && data.issuer === plane.idp.issuer),
      );
      const all = await db.selectFrom("audit_events").select("data_json").execute();
      assert.ok(all.every(({ data_json }) => !data_json.includes(TOKEN) && !data_json.includes(OTHER_TOKEN)));
    });
  });
});
