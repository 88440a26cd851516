import assert from "node:assert/strict";
import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { recognise } from "@sallyport/control-plane/issuance/recognise.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { makeWorld, policyText, type World } from "./support/world.ts";

const HOME = "https://idp.acme.test";
const OTHER = "https://idp.vendor.test";
const RIVAL = "https://idp.rival.test";
const UNSET = "https://idp.unset.test";

function token(changes: Partial<VerifiedIdToken> = {}): VerifiedIdToken {
  return {
    issuer: HOME,
    subject: "dana-1",
    nonce: null,
    issuedAt: 0,
    expiresAt: 0,
    authTime: null,
    mfa: "none",
    acr: null,
    amr: [],
    acrs: [],
    email: "Dana@Vendor.test",
    emailVerified: true,
    lists: new Map(),
    elsewhere: [],
    name: null,
    ...changes,
  };
}

describe("recognising who signed in", () => {
  let world: World;
  const staff = Configuration.shape.staff.parse([{ email: "sec@acme.test", role: "admin" }]);
  const issuers = [
    { issuer: HOME, vendors: null },
    { issuer: OTHER, vendors: ["vendor"] },
    { issuer: RIVAL, vendors: ["rival"] },
    { issuer: UNSET, vendors: null },
  ];
  const who = (changes: Partial<VerifiedIdToken> = {}) =>
    recognise({ ...world, staff, staffIssuer: HOME, issuers }, token(changes));
  const notInvited = (expected: RegExp) => (error: unknown) =>
    isSallyportError(error, "not-invited") && expected.test(error.message);

  beforeEach(async () => {
    world = await makeWorld();
    await applyPolicy(world.db, world.environment, { text: policyText(), file: "p" });
  });
  afterEach(() => world.db.destroy());

  it("pins an invitation at the first sign-in, and knows the identity whatever its e-mail is later", async () => {
    const first = await who();
    assert.equal(first.pinned, true);
    assert.deepEqual(first.member?.identities, [{ issuer: HOME, subject: "dana-1" }]);
    const later = await who({ email: "new-name@vendor.test", emailVerified: false });
    assert.equal(later.pinned, false);
    assert.equal(later.member?.id, first.member?.id);
  });

  it("never pins an invitation again", async () => {
    await who();
    await assert.rejects(who({ subject: "dana-2" }), notInvited(/already used by another account/));
  });

  it("pins one identity per IdP", async () => {
    const home = await who();
    const other = await who({ issuer: OTHER });
    assert.equal(other.member?.id, home.member?.id);
    assert.equal(other.member?.identities.length, 2);
  });

  it("does not believe an e-mail that is not verified", async () => {
    await assert.rejects(
      who({ emailVerified: false }),
      notInvited(/not confirm that Dana@Vendor\.test is verified/),
    );
    await assert.rejects(who({ email: null }), notInvited(/no e-mail address/));
  });

  it("does not believe another vendor's IdP, whichever e-mail it states, before and after the invitation is used", async () => {
    for (const issuer of [RIVAL, UNSET])
      await assert.rejects(who({ issuer }), notInvited(/not invited here/));
    await who();
    for (const issuer of [RIVAL, UNSET])
      await assert.rejects(who({ issuer }), notInvited(/not invited here/));
  });

  it("refuses whom nobody invited", async () => {
    await assert.rejects(
      who({ email: "stranger@x.test" }),
      notInvited(/stranger@x\.test is not invited here/),
    );
  });

  it("knows staff, and only from the IdP that staff come from", async () => {
    const sam = { subject: "sam", email: "sec@acme.test" };
    await assert.rejects(who({ ...sam, issuer: OTHER }), notInvited(/not invited/));
    assert.equal((await who(sam)).staff?.roles[0], "admin");
    assert.equal((await who({ ...sam, email: null })).staff?.roles[0], "admin");
    await assert.rejects(who({ ...sam, subject: "not-sam" }), notInvited(/already used/));
  });

  it("pins once when two sign in at the same moment", async () => {
    const results = await Promise.allSettled([who({ subject: "a" }), who({ subject: "b" })]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  });
});
