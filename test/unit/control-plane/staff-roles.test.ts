import assert from "node:assert/strict";
import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { groupsOf, noteGroups } from "@sallyport/control-plane/database/identity-groups.ts";
import { staffEmailByIdentity } from "@sallyport/control-plane/database/staff.ts";
import { callerOf } from "@sallyport/control-plane/http/caller.ts";
import { makeApiToken, tokenHash } from "@sallyport/control-plane/issuance/api-token.ts";
import { rememberGroups } from "@sallyport/control-plane/issuance/named-groups.ts";
import { recognise } from "@sallyport/control-plane/issuance/recognise.ts";
import { staffRoles } from "@sallyport/control-plane/people/staff-roles.ts";
import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { makeWorld, type World } from "./support/world.ts";

const HOME = "https://idp.acme.test";
const VENDOR = "https://idp.vendor.test";
const staff = Configuration.shape.staff.parse([
  { email: "ann@acme.test", roles: ["approver", "auditor"] },
  { email: "bob@acme.test", role: "admin", issuer: VENDOR },
]);
const staffGroups = Configuration.shape.staffGroups.parse([
  { issuer: HOME, group: "sec-admins", role: "admin" },
  { issuer: HOME, group: "sponsors", role: "sponsor" },
  { issuer: HOME, claim: "roles", group: "audit", role: "auditor" },
]);
const issuers = [
  { issuer: HOME, vendors: null },
  { issuer: VENDOR, vendors: ["vendor"] },
];

describe("staff roles", () => {
  const roles = (issuer: string, email: string | undefined, groups: Record<string, string[]> = {}) =>
    staffRoles({ staff, staffGroups, issuers }, { issuer, email, groups: new Map(Object.entries(groups)) });

  it("come from entries, which may give several, and from groups of the claim that is named", () => {
    assert.deepEqual(roles(HOME, "ann@acme.test"), ["approver", "auditor"]);
    assert.deepEqual(roles(HOME, undefined, { groups: ["x", "sec-admins"] }), ["admin"]);
    assert.deepEqual(roles(HOME, "ann@acme.test", { groups: ["sponsors"], roles: ["audit"] }), [
      "approver",
      "auditor",
      "sponsor",
    ]);
    assert.deepEqual(
      roles(HOME, undefined, { roles: ["sec-admins"], groups: ["Sec-Admins", "sec-admins "] }),
      [],
    );
  });

  it("never come from another IdP than the entry's, whatever e-mail or groups that states", () => {
    assert.deepEqual(roles(VENDOR, "ann@acme.test", { groups: ["sec-admins"], roles: ["audit"] }), []);
    assert.deepEqual(roles(HOME, "bob@acme.test"), []);
  });
});

/** What is warned of, from now on. */
function warnings(world: World): Record<string, unknown>[] {
  const warned: Record<string, unknown>[] = [];
  world.environment.log.warn = (_message, fields = {}) => void warned.push(fields);
  return warned;
}

describe("staff by groups, signing in", () => {
  let world: World;
  const token = (changes: Partial<VerifiedIdToken>): VerifiedIdToken => ({
    issuer: HOME,
    subject: "s-1",
    nonce: null,
    issuedAt: 1000,
    expiresAt: 0,
    authTime: null,
    mfa: "none",
    acr: null,
    amr: [],
    email: "Sue@acme.test",
    emailVerified: true,
    name: null,
    lists: new Map([["groups", ["sponsors"]]]),
    elsewhere: [],
    acrs: [],
    ...changes,
  });
  const who = (changes: Partial<VerifiedIdToken> = {}) =>
    recognise({ ...world, staff, staffGroups, staffIssuer: HOME, issuers }, token(changes));
  const remember = (changes: Partial<VerifiedIdToken>) => {
    const { db, environment } = world;
    return rememberGroups({ db, environment, rules: staffGroups }, token(changes));
  };
  const notInvited = (error: unknown) => isSallyportError(error, "not-invited");

  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => world.db.destroy());

  it("need no entry of their own, and are pinned to their e-mail at the first sign-in", async () => {
    assert.deepEqual((await who()).staff, { email: "sue@acme.test", roles: ["sponsor"] });
    assert.equal(await staffEmailByIdentity(world.db, HOME, "s-1"), "sue@acme.test");
    // Whoever changes their address at the IdP later does not become another sponsor.
    assert.deepEqual((await who({ email: "tim@acme.test" })).staff?.email, "sue@acme.test");
    const second = (await who({ subject: "s-2" })).staff;
    assert.deepEqual(second, { email: undefined, roles: ["sponsor"] });
    const unverified = (await who({ subject: "s-3", email: "uma@acme.test", emailVerified: false })).staff;
    assert.deepEqual(unverified, { email: undefined, roles: ["sponsor"] });
  });

  it("are nobody with the token of a device sign-in, whatever they became since", async () => {
    await who();
    const config = { staff, staffGroups, issuers };
    const rolesWith = async (assurance: "bound" | "brokered") => {
      await remember({});
      const { apiToken } = await makeApiToken(world, token({}), assurance);
      const needs = { db: world.db, clock: world.environment.clock, config };
      return (await callerOf(needs, tokenHash(apiToken))).roles;
    };
    assert.deepEqual(await rolesWith("bound"), ["sponsor"]);
    assert.deepEqual(await rolesWith("brokered"), []);
  });

  it("are nobody without the group, and from a vendor's IdP", async () => {
    await assert.rejects(who({ lists: new Map([["groups", ["visitors"]]]) }), notInvited);
    await assert.rejects(who({ lists: new Map(), elsewhere: ["groups"] }), notInvited);
    await assert.rejects(who({ issuer: VENDOR, lists: new Map([["groups", ["sec-admins"]]]) }), notInvited);
    await remember({ issuer: VENDOR, lists: new Map([["groups", ["sec-admins"]]]) });
    assert.equal((await groupsOf(world.db, VENDOR, "s-1", 0)).size, 0, "a vendor's groups are not even kept");
  });

  it("keep 200 names of a claim, those that give a role among them", async () => {
    const names = [...Array.from({ length: 1000 }, (_, index) => `g${index}`), "sec-admins"];
    const lists = new Map([["groups", names]]);
    assert.deepEqual((await who({ lists })).staff?.roles, ["admin"]);
    await remember({ lists });
    const kept = (await groupsOf(world.db, HOME, "s-1", 0)).get("groups");
    assert.deepEqual([kept?.length, kept?.[0]], [200, "sec-admins"]);
  });

  it("are told of in the log when the IdP left the groups out", async () => {
    const warned = warnings(world);
    await remember({ lists: new Map(), elsewhere: ["groups"] });
    await remember({ lists: new Map(), elsewhere: ["address"] });
    assert.deepEqual(warned, [{ issuer: HOME, subject: "s-1", claim: "groups" }]);
  });

  it("have the groups of the newest ID token, also when an older one is used later", async () => {
    const { db } = world;
    const said = (issuedAt: number, group: string) =>
      noteGroups(db, {
        issuer: HOME,
        subject: "s",
        groups: new Map([["groups", [group]]]),
        issuedAt,
        seenAt: 50,
      });
    await said(100, "visitors");
    await said(90, "sec-admins");
    assert.deepEqual((await groupsOf(db, HOME, "s", 0)).get("groups"), ["visitors"]);
    assert.equal((await groupsOf(db, HOME, "s", 50)).size, 0, "too long ago");
  });
});
