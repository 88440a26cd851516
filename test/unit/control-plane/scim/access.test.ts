import assert from "node:assert/strict";
import { inTransaction } from "@sallyport/control-plane/database/open-database.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import type { ScimChange } from "@sallyport/control-plane/scim/access.ts";
import type { ScimIssuer } from "@sallyport/control-plane/scim/scim-issuer.ts";
import { refuseDeprovisioned } from "@sallyport/control-plane/scim/sign-in-check.ts";
import { createUser, deleteUser, patchUser } from "@sallyport/control-plane/scim/users.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { identityTarget } from "@sallyport/core/policy/revocation.ts";
import { dyingDatabase } from "../support/dying-database.ts";
import { makeWorld, type World } from "../support/world.ts";

const ISSUER = "https://idp.test";
const USER = "urn:ietf:params:scim:schemas:core:2.0:User";

describe("whom SCIM users mean, and what becomes of them", () => {
  let world: World;
  const idp: ScimIssuer = {
    ...{ issuer: ISSUER, name: "IdP" },
    ...{ subjectAttribute: "externalId" as const, requireGroup: undefined },
  };

  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => world.db.destroy());

  /** In a transaction, as a route does it. */
  function change<T>(work: (change: ScimChange) => Promise<T>, as: Partial<ScimIssuer> = {}): Promise<T> {
    return changeOn(world.db, work, as);
  }

  function changeOn<T>(db: Database, work: (change: ScimChange) => Promise<T>, as: Partial<ScimIssuer> = {}) {
    const { environment } = world;
    return inTransaction(db, (inside) =>
      work({ db: inside, environment, idp: { ...idp, ...as }, request: "PATCH User" }),
    );
  }

  async function add(user: object, as: Partial<ScimIssuer> = {}): Promise<string> {
    return (await change((one) => createUser(one, { schemas: [USER], ...user }), as)).user.id;
  }

  function setActive(id: string, active: boolean, as: Partial<ScimIssuer> = {}) {
    const body = {
      schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
      Operations: [{ op: "replace", value: { active } }],
    };
    return change((one) => patchUser(one, id, { body, ifMatch: undefined }), as);
  }

  async function known(subject: string, email: string, issuer = ISSUER): Promise<void> {
    await world.db.insertInto("staff_identities").values({ issuer, subject, email, pinned_at: 1 }).execute();
  }

  async function disabled(issuer = ISSUER): Promise<string[]> {
    const subjects = ["ext", "name", "by-mail", "second", "dana@x.test"];
    const rows = await world.db.selectFrom("revocations").selectAll().orderBy("sequence").execute();
    const newest = new Map(rows.map((row) => [row.target, row.signed_in_before]));
    return subjects.filter((subject) => newest.get(identityTarget(issuer, subject)) === null);
  }

  it("takes the external id, then the name, then the e-mail of somebody from the same IdP", async () => {
    await known("by-mail", "dana@x.test");
    const id = await add({ userName: "name", externalId: "ext", emails: [{ value: "DANA@x.test" }] });
    await setActive(id, false);
    assert.deepEqual(await disabled(), ["by-mail"]);
    await known("name", "n@x.test");
    await setActive(id, true);
    await setActive(id, false);
    assert.deepEqual(await disabled(), ["name", "by-mail"]);
    await known("ext", "e@x.test");
    await setActive(id, true);
    await setActive(id, false);
    assert.deepEqual(await disabled(), ["ext", "name", "by-mail"]);
  });

  it("takes the name first where it is configured so", async () => {
    await known("ext", "e@x.test");
    await known("name", "n@x.test");
    const id = await add({ userName: "name", externalId: "ext" });
    await setActive(id, false, { subjectAttribute: "userName" });
    assert.deepEqual(await disabled(), ["name"]);
  });

  it("never finds anybody at another IdP, by whatever they have in common", async () => {
    await known("ext", "dana@x.test", "https://other.test");
    await setActive(await add({ userName: "dana@x.test", externalId: "ext" }), false);
    assert.deepEqual(await disabled("https://other.test"), []);
  });

  it("does not take an e-mail for somebody whom another user names", async () => {
    await known("ext", "dana@x.test");
    const theirs = await add({ userName: "dana", externalId: "ext" });
    const shared = await add({
      userName: "shared",
      externalId: "second",
      emails: [{ value: "dana@x.test" }],
    });
    await setActive(shared, false);
    assert.deepEqual(await disabled(), ["second"]);
    await setActive(theirs, false);
    await setActive(shared, true);
    assert.deepEqual(await disabled(), ["ext"], "the other account does not give it back");
    await change((one) => deleteUser(one, theirs, undefined));
    await setActive(shared, false);
    await setActive(shared, true);
    assert.deepEqual(await disabled(), ["ext"], "nor when that user is deleted");
  });

  it("stores who is disabled before anybody has seen them, and refuses their first sign-in", async () => {
    const id = await add({ userName: "dana@x.test", externalId: "ext" });
    const scim = { tokenFile: "/t", subjectAttribute: "externalId" as const };
    const issuers = [{ issuer: ISSUER, name: "IdP", scim }] as unknown as Parameters<
      typeof refuseDeprovisioned
    >[1];
    const signIn = (subject: string, email: string | null, emailVerified = true, issuer = ISSUER) =>
      refuseDeprovisioned(world.db, issuers, { issuer, subject, email, emailVerified }).then(
        () => "lets in",
        (error) => (isSallyportError(error, "forbidden") ? "refuses" : error),
      );
    assert.equal(await signIn("ext", null), "lets in");
    await setActive(id, false);
    assert.deepEqual(await disabled(), ["ext"]);
    assert.equal(await signIn("ext", null), "refuses");
    assert.equal(await signIn("oid-4711", "Dana@x.test"), "refuses");
    assert.equal(await signIn("oid-4711", "dana@x.test", false), "lets in", "anybody can say so");
    assert.equal(await signIn("oid-4711", "else@x.test"), "lets in");
    assert.equal(await signIn("ext", null, true, "https://other.test"), "lets in");
    await change((one) => deleteUser(one, id, undefined));
    assert.equal(await signIn("ext", null), "refuses");
    await add({ userName: "dana@x.test", externalId: "ext" });
    assert.equal(await signIn("ext", null), "lets in");
    assert.deepEqual(await disabled(), []);
  });

  it("keeps nothing of a deleted user but what tells it when it comes again", async () => {
    const id = await add({ userName: "dana", externalId: "ext", phoneNumbers: [{ value: "+1 555" }] });
    await change((one) => deleteUser(one, id, undefined));
    const rows = await world.db.selectFrom("scim_users").selectAll().execute();
    assert.deepEqual(
      rows.map(({ resource_json, live_name }) => [resource_json, live_name]),
      [["{}", null]],
    );
    await add({ userName: "dana", externalId: "ext" });
    assert.equal((await world.db.selectFrom("scim_users").select("id").execute()).length, 1);
  });

  it("disables both or nothing: the user here, and the identity on the list", async () => {
    await known("ext", "e@x.test");
    const id = await add({ userName: "dana", externalId: "ext" });
    for (const fatal of [
      { kind: "InsertQueryNode", table: "revocations" },
      { kind: "InsertQueryNode", table: "audit_events" },
    ] as const) {
      const dying = dyingDatabase(world.db, fatal);
      const body = { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"] };
      const input = { body: { ...body, Operations: [{ op: "replace", path: "active", value: false }] } };
      await assert.rejects(
        changeOn(dying, (one) => patchUser(one, id, { ...input, ifMatch: undefined })),
        /killed/,
      );
      const { active } = await world.db
        .selectFrom("scim_users")
        .select("active")
        .where("id", "=", id)
        .executeTakeFirstOrThrow();
      assert.deepEqual([active, await disabled()], [1, []]);
    }
    // Asked again, as the IdP will, it is done.
    await setActive(id, false);
    assert.deepEqual(await disabled(), ["ext"]);
  });
});
