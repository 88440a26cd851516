import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ActiveChecks } from "@sallyport/control-plane/checks/active-checks.ts";
import { endRenewal } from "@sallyport/control-plane/checks/end-renewal.ts";
import { GrantSweep } from "@sallyport/control-plane/checks/grant-sweep.ts";
import { addCertificate } from "@sallyport/control-plane/database/certificates.ts";
import { deleteGrant, findGrant } from "@sallyport/control-plane/database/sign-in-grants.ts";
import { openGrantSealing } from "@sallyport/control-plane/keys/grant-sealing.ts";
import { ISSUER, type RevocationWorld, revocationWorld } from "../support/revocations.ts";

const KEY = "SHA256:key";
const SIGN_IN = { issuer: ISSUER, subject: "dana", keyFingerprint: KEY };

describe("a kept refresh token is forgotten", () => {
  let world: RevocationWorld;
  beforeEach(async () => {
    world = await revocationWorld();
  });
  afterEach(() => world.db.destroy());

  /** A sign-in with a certificate that lasts for so many seconds, and no longer than it is renewed. */
  const signIn = async (nonce: string, lasts: number) => {
    const { db, dana, time } = world;
    await addCertificate(db, {
      ...{ serial: nonce, member_id: dana, issuer: ISSUER, subject: "dana", key_fingerprint: KEY },
      ...{ signed_in_at: time.now, valid_after: 0, valid_before: time.now + lasts, issued_at: time.now },
    });
    const grant = {
      ...{ key_fingerprint: KEY, issuer: ISSUER, subject: "dana", member_id: dana, fresh_at_ms: 0 },
      ...{ token_sealed: "", sealed_with: "", sign_in_json: nonce, signed_in_at: time.now },
      ...{ renewable_until: time.now + lasts, last_answer_at_ms: 0, failing_since_ms: null },
      ...{ next_check_at_ms: 0, hinted_at_ms: 0, claimed_by: null, claimed_until_ms: 0, in_doubt: 0 },
      ...{ lost_at_ms: null, fresh_sealed: null },
    };
    await db
      .insertInto("sign_in_grants")
      .values(grant)
      .onConflict((conflict) => conflict.column("key_fingerprint").doUpdateSet(grant))
      .execute();
  };
  const sweep = async () => {
    const needs = { ...world.needs, environment: world.environment, config: { issuers: [] } };
    await new GrantSweep(needs, { forgotten: () => {}, published: () => {} }).run();
  };
  const isThere = async () => (await findGrant(world.db, KEY)) !== undefined;

  it("when it is over, and no host can tell any more of a login at the last moment", async () => {
    await signIn("first", 300);
    world.time.now += 301;
    await sweep();
    assert.ok(await isThere(), "a session that began a second ago is on its way here");
    world.time.now += 3600;
    await sweep();
    assert.ok(!(await isThere()));
  });

  it("no sooner when its owner signs out at that moment", async () => {
    await signIn("first", 300);
    world.time.now += 301;
    assert.equal(await endRenewal(world.db, world.environment, SIGN_IN), false);
    world.time.now += 3600;
    assert.equal(await endRenewal(world.db, world.environment, SIGN_IN), true);
  });

  it("and not that of another sign-in with the same key which comes meanwhile", async () => {
    await signIn("first", 300);
    const first = await findGrant(world.db, KEY);
    assert.ok(first !== undefined);
    await signIn("second", 300);
    assert.equal(await deleteGrant(world.db, first), false);
    assert.ok(await isThere());
  });

  it("and not of a sign-in after the one that its owner has ended", async () => {
    const directory = mkdtempSync(join(tmpdir(), "sallyport-forgetting-"));
    const checks = new ActiveChecks({
      ...{ ...world.needs, environment: world.environment, config: { issuers: [] } },
      sealing: await openGrantSealing(world.db, directory),
      issuerKeys: { ready: async () => {}, known: () => undefined },
    });
    await signIn("first", 300);
    world.time.now += 7200;
    assert.equal(await endRenewal(world.db, world.environment, SIGN_IN), true);
    await signIn("second", 300);
    assert.equal(await checks.forget(KEY), false);
    assert.ok(await isThere());
    await checks.close();
    rmSync(directory, { recursive: true });
  });
});
