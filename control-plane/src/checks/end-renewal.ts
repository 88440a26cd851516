import { LINGER_MS, liveGrants } from "../database/sign-in-grants.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import { seconds } from "../environment.ts";

/** Whose sign-in it was, and the key that it was for. */
export interface EndedSignIn {
  issuer: string;
  subject: string;
  keyFingerprint: string;
}

/**
 * Ends the renewal of a sign-in, as its owner asks. Its refresh token is still asked with while a certificate or a session hangs on it:
 * else whoever signs out with a session open would be asked about no more. Then it is forgotten. True where nothing hangs on it, so
 * that it can be forgotten now.
 */
export async function endRenewal(
  db: Database,
  environment: Pick<Environment, "clock">,
  { issuer, subject, keyFingerprint }: EndedSignIn,
): Promise<boolean> {
  const now = seconds(environment.clock);
  const result = await db
    .updateTable("sign_in_grants")
    .set({ renewable_until: now })
    .where("key_fingerprint", "=", keyFingerprint)
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .executeTakeFirst();
  if (result.numUpdatedRows === 0n) return false;
  const live = await liveGrants(db, environment.clock() - LINGER_MS)
    .select("key_fingerprint")
    .where("key_fingerprint", "=", keyFingerprint)
    .executeTakeFirst();
  return live === undefined;
}
