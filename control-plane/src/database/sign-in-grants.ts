import { type ExpressionBuilder, type Selectable, sql } from "kysely";
import type { Database, SignInGrantsTable, Tables } from "./tables.ts";

/** A kept refresh token as it is stored. */
export type SignInGrant = Selectable<SignInGrantsTable>;

/**
 * A grant outlives what hangs on it by so much, in milliseconds: a host tells late of a session that began with the last second of a
 * certificate, and of that one too somebody is to be asked about.
 */
export const LINGER_MS = 1_800_000;

/** No check, and no claim's end, is further ahead, in milliseconds. */
const FURTHEST_MS = 120_000;

/** What lies further ahead than it ever should was noted by a clock that has been put back since. */
function isDue({ or, eb }: ExpressionBuilder<Tables, "sign_in_grants">, now: number) {
  return or([eb("next_check_at_ms", "<=", now), eb("next_check_at_ms", ">", now + FURTHEST_MS)]);
}

function isFree({ or, eb }: ExpressionBuilder<Tables, "sign_in_grants">, now: number) {
  return or([eb("claimed_until_ms", "<=", now), eb("claimed_until_ms", ">", now + FURTHEST_MS)]);
}

/** The grant of this key; undefined where there is none. */
export async function findGrant(db: Database, keyFingerprint: string): Promise<SignInGrant | undefined> {
  return db
    .selectFrom("sign_in_grants")
    .selectAll()
    .where("key_fingerprint", "=", keyFingerprint)
    .executeTakeFirst();
}

/** Every grant. */
export async function listGrants(db: Database): Promise<SignInGrant[]> {
  return db.selectFrom("sign_in_grants").selectAll().execute();
}

/** Whoever has used the API so lately, in seconds, is there, also without a certificate. */
const API_USE = 300;

/**
 * Grants that something hangs on: their newest certificate is not over, one of their sessions is live, or their owner uses the API with a
 * sign-in. `now` in milliseconds.
 */
export function liveGrants(db: Database, now: number) {
  return db.selectFrom("sign_in_grants").where(({ exists, or, selectFrom }) =>
    or([
      exists(
        selectFrom("certificates")
          .select("certificates.serial")
          .whereRef("certificates.key_fingerprint", "=", "sign_in_grants.key_fingerprint")
          .where("certificates.valid_before", ">", Math.floor(now / 1000)),
      ),
      exists(
        selectFrom("certificates")
          .innerJoin("sessions", "sessions.certificate_serial", "certificates.serial")
          .select("sessions.id")
          .whereRef("certificates.key_fingerprint", "=", "sign_in_grants.key_fingerprint")
          .where("sessions.ended_at_ms", "is", null),
      ),
      exists(
        selectFrom("api_tokens")
          .select("api_tokens.hash")
          .whereRef("api_tokens.issuer", "=", "sign_in_grants.issuer")
          .whereRef("api_tokens.subject", "=", "sign_in_grants.subject")
          .where("api_tokens.kind", "in", ["sign-in", "brokered"])
          .where("api_tokens.last_used_at", ">", Math.floor(now / 1000) - API_USE),
      ),
    ]),
  );
}

/** Keys of live grants at this issuer that are to be asked about now and that nobody asks about, the longest due first. */
export async function dueGrants(db: Database, issuer: string, now: number, limit: number): Promise<string[]> {
  const rows = await liveGrants(db, now)
    .select("key_fingerprint")
    .where("issuer", "=", issuer)
    .where((grant) => isDue(grant, now))
    .where((grant) => isFree(grant, now))
    .where("lost_at_ms", "is", null)
    .orderBy("next_check_at_ms")
    .limit(limit)
    .execute();
  return rows.map(({ key_fingerprint }) => key_fingerprint);
}

/**
 * Takes a grant to ask about until `until` (milliseconds), and notes, before the question leaves, that its token may be another
 * afterwards. Returns it as it was; undefined where somebody else has it, it is lost or gone, or, with `onlyDue`, was asked about meanwhile. In a transaction.
 */
export async function claimGrant(
  db: Database,
  keyFingerprint: string,
  claim: { by: string; now: number; until: number; onlyDue: boolean },
): Promise<SignInGrant | undefined> {
  const grant = await findGrant(db, keyFingerprint);
  if (grant === undefined || grant.lost_at_ms !== null) return undefined;
  let query = db
    .updateTable("sign_in_grants")
    .set({ claimed_by: claim.by, claimed_until_ms: claim.until, in_doubt: 1 })
    .where("key_fingerprint", "=", keyFingerprint)
    .where((grant) => isFree(grant, claim.now));
  if (claim.onlyDue) query = query.where((grant) => isDue(grant, claim.now));
  const result = await query.executeTakeFirst();
  return result.numUpdatedRows > 0n ? grant : undefined;
}

/** Changes a grant that is still claimed by `claim`, and gives it back; the row as it was, undefined where it is another's by now. */
export async function settleGrant(
  db: Database,
  keyFingerprint: string,
  claim: string,
  change: (grant: SignInGrant) => Partial<SignInGrant> | "delete",
): Promise<SignInGrant | undefined> {
  const grant = await findGrant(db, keyFingerprint);
  if (grant === undefined || grant.claimed_by !== claim) return undefined;
  const changed = change(grant);
  if (changed === "delete") await deleteGrant(db, grant);
  else
    await db
      .updateTable("sign_in_grants")
      .set({ ...changed, claimed_by: null, claimed_until_ms: 0 })
      .where("key_fingerprint", "=", keyFingerprint)
      .execute();
  return grant;
}

/** Forgets the grant of a sign-in; false where there is none, or that of another sign-in with the same key, which came meanwhile. */
export async function deleteGrant(
  db: Database,
  { key_fingerprint, sign_in_json }: Pick<SignInGrant, "key_fingerprint" | "sign_in_json">,
): Promise<boolean> {
  const result = await db
    .deleteFrom("sign_in_grants")
    .where("key_fingerprint", "=", key_fingerprint)
    .where("sign_in_json", "=", sign_in_json)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

/** Has the grants of a person asked about at once, but none twice within `apart` milliseconds. */
export async function hintGrants(
  db: Database,
  { issuer, subject }: { issuer: string; subject: string },
  now: number,
  apart: number,
): Promise<void> {
  const theirs = () =>
    db.updateTable("sign_in_grants").where("issuer", "=", issuer).where("subject", "=", subject);
  await theirs().set({ hinted_at_ms: now }).execute();
  const earliest = sql<number>`case when last_answer_at_ms > ${now - apart} then last_answer_at_ms + ${apart} else ${now} end`;
  await theirs()
    .set({ next_check_at_ms: earliest })
    .where("next_check_at_ms", ">", now)
    .where("claimed_until_ms", "<=", now)
    .execute();
}

/** Gives back what was claimed by a process that is gone: only where there can be no other one. */
export async function releaseAllGrants(db: Database): Promise<void> {
  await db
    .updateTable("sign_in_grants")
    .set({ claimed_by: null, claimed_until_ms: 0 })
    .where("claimed_until_ms", ">", 0)
    .execute();
}
