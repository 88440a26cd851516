import assert from "node:assert/strict";
import { revokeGrantKey } from "@sallyport/control-plane/checks/revoke-grant.ts";
import { addApiToken } from "@sallyport/control-plane/database/api-tokens.ts";
import { addCertificate } from "@sallyport/control-plane/database/certificates.ts";
import { inTransaction } from "@sallyport/control-plane/database/open-database.ts";
import { findGrant } from "@sallyport/control-plane/database/sign-in-grants.ts";
import { ISSUER, type RevocationWorld, revocationWorld } from "../support/revocations.ts";

describe("an IdP that no longer vouches for a sign-in", () => {
  let world: RevocationWorld;
  beforeEach(async () => {
    world = await revocationWorld();
  });
  afterEach(() => world.db.destroy());

  /** A sign-in whose certificate ends in so many seconds. */
  const signIn = async (key: string, lasts: number) => {
    const { db, dana, time } = world;
    await addCertificate(db, {
      ...{ serial: key, member_id: dana, issuer: ISSUER, subject: "dana", key_fingerprint: key },
      ...{ signed_in_at: time.now, valid_after: 0, valid_before: time.now + lasts, issued_at: time.now },
    });
    await db
      .insertInto("sign_in_grants")
      .values({
        ...{ key_fingerprint: key, issuer: ISSUER, subject: "dana", member_id: dana },
        ...{ token_sealed: "", sealed_with: "", sign_in_json: "{}", signed_in_at: time.now },
        ...{ renewable_until: time.now + 9999, last_answer_at_ms: 0, failing_since_ms: null },
        ...{ next_check_at_ms: 0, hinted_at_ms: 0, claimed_by: null, claimed_until_ms: 0, in_doubt: 0 },
        ...{ lost_at_ms: null, fresh_sealed: null, fresh_at_ms: 0 },
      })
      .execute();
  };
  const refuse = async (key: string) => {
    const { db, environment } = world;
    const grant = await findGrant(db, key);
    assert.ok(grant !== undefined);
    const verdict = { issuerName: "IdP", reason: "no", evidence: {} };
    await inTransaction(db, (db) => revokeGrantKey(db, environment, grant, verdict));
    return db.selectFrom("api_tokens").select("hash").execute();
  };

  it("ends the person's API tokens, though a sign-in is left that nobody asks about", async () => {
    const { db, time } = world;
    const times = { created_at: time.now, expires_at: time.now + 9999 };
    await addApiToken(db, {
      hash: "h",
      issuer: ISSUER,
      subject: "dana",
      name: "Dana",
      mfa: "none",
      ...times,
    });
    await signIn("here", 3600);
    await signIn("there", 3600);
    await signIn("long ago", -60);
    assert.equal((await refuse("here")).length, 1, "of the other one the IdP is asked too");
    assert.equal((await refuse("there")).length, 0);
  });
});
