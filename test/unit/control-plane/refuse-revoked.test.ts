import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { slackAnswerer } from "@sallyport/control-plane/approvals/slack-answer.ts";
import { memberById } from "@sallyport/control-plane/database/members.ts";
import { pinStaffIdentity } from "@sallyport/control-plane/database/staff.ts";
import { refuseRevoked, refuseRevokedPerson } from "@sallyport/control-plane/issuance/refuse-revoked.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Member } from "@sallyport/core/policy/engagement.ts";
import { fingerprint, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { ISSUER, OTHER_ISSUER, type RevocationWorld, revocationWorld } from "./support/revocations.ts";

const KEY = publicKeyFromKeyObject(generateKeyPairSync("ed25519").publicKey);

describe("whoever is revoked", () => {
  let world: RevocationWorld;
  let dana: Member | undefined;
  const asked = (issuedAt = world.time.now, issuer = ISSUER, subject = "dana") => ({
    ...{ token: { issuer, subject, issuedAt }, key: KEY, engagements: [] },
  });
  const renews = (...args: Parameters<typeof asked>) =>
    refuseRevoked(world.db, { ...asked(...args), member: dana });
  const refused = (code: string, text: RegExp) => (error: unknown) =>
    isSallyportError(error) && error.code === code && text.test(error.message);

  beforeEach(async () => {
    world = await revocationWorld();
    dana = await memberById(world.db, world.dana);
  });
  afterEach(() => world.db.destroy());

  for (const [level, target, what] of [
    ["identity", () => `${ISSUER} dana`, "Your account"],
    ["member", () => world.dana, "Your access"],
    ["vendor", () => "vendor", "All access of your company"],
    ["issuer", () => ISSUER, "All access of people of your identity provider"],
    ["key", () => fingerprint(KEY.blob), "This SSH key"],
  ] as const) {
    it(`gets no certificate, told by whom and why: ${level}`, async () => {
      await renews();
      await world.revoke(level, target());
      const text = new RegExp(
        `^${what} was revoked 2027-.* by sec: why\\. Ask the people who gave you this work\\.$`,
      );
      await assert.rejects(renews(), refused("forbidden", text));
    });
  }

  it("renews nothing of before access was given back, and signs in for something new", async () => {
    const before = world.time.now;
    await world.revoke("identity", `${ISSUER} dana`);
    world.time.now += 60;
    await world.lift("identity", `${ISSUER} dana`);
    await assert.rejects(
      renews(before),
      refused("token-invalid", /was ended .* by sec: back again\. Sign in again\.$/),
    );
    await renews(world.time.now + 1);
  });

  it("by one of their accounts is not revoked by another", async () => {
    await world.revoke("identity", `${ISSUER} dana`);
    await renews(world.time.now, OTHER_ISSUER, "d-4711");
    await assert.rejects(renews(), refused("forbidden", /Your account/));
  });

  it("is let in as staff alone where a vendor or an IdP is revoked, and not at all where the identity is", async () => {
    const staff = { email: "both@acme.test", roles: ["admin" as const] };
    const person = { member: dana, staff, pinned: true };
    const signsIn = () => refuseRevokedPerson(world.db, { ...asked(), person });
    assert.equal(await signsIn(), person);
    await world.revoke("issuer", ISSUER);
    assert.deepEqual(await signsIn(), { member: undefined, staff, pinned: false });
    await world.lift("issuer", ISSUER);
    await world.revoke("identity", `${ISSUER} dana`);
    await assert.rejects(
      signsIn(),
      refused("forbidden", /Ask another admin of Sallyport, or of your identity provider\.$/),
    );
    const alone = { member: undefined, staff, pinned: false };
    await assert.rejects(refuseRevokedPerson(world.db, { ...asked(), person: alone }));
  });

  it("answers no request by a button in Slack, which is no sign-in", async () => {
    await pinStaffIdentity(world.db, {
      ...{ issuer: ISSUER, subject: "appr", email: "appr@acme.test", pinned_at: world.time.now },
    });
    const config = {
      ...{ staff: [{ email: "appr@acme.test", role: "approver", roles: [] }], staffGroups: [] },
      ...{ issuers: [{ issuer: ISSUER }], approvals: { slackUsers: { U1: "appr@acme.test" } } },
    };
    const needs = { ...world, config } as unknown as Parameters<typeof slackAnswerer>[0];
    assert.equal((await slackAnswerer(needs, "U1")).subject, "appr");
    await world.revoke("identity", `${ISSUER} appr`, true);
    assert.equal((await slackAnswerer(needs, "U1")).subject, "appr");
    await world.revoke("identity", `${ISSUER} appr`);
    await assert.rejects(slackAnswerer(needs, "U1"), refused("forbidden", /Sign in/));
  });
});
