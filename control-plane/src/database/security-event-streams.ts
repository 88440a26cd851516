import type { Selectable } from "kysely";
import type { Database, SecurityEventStreamsTable } from "./tables.ts";

/** A stream of an IdP, as it is kept. */
export type StoredStream = Selectable<SecurityEventStreamsTable>;

/** What is kept of a stream besides who is at it. */
export type StreamFacts = Partial<
  Omit<StoredStream, "issuer" | "claimed_by" | "claimed_until_ms" | "received_at">
>;

/**
 * Takes a stream for this replica until `until` (milliseconds), or keeps it; false while another replica has it.
 */
export async function claimSecurityEventStream(
  db: Database,
  issuer: string,
  claim: { by: string; now: number; until: number },
): Promise<boolean> {
  await ensure(db, issuer);
  const result = await db
    .updateTable("security_event_streams")
    .set({ claimed_by: claim.by, claimed_until_ms: claim.until })
    .where("issuer", "=", issuer)
    .where(({ eb, or }) => or([eb("claimed_by", "=", claim.by), eb("claimed_until_ms", "<=", claim.now)]))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Gives a stream back, so that another replica need not wait. */
export async function releaseSecurityEventStream(db: Database, issuer: string, by: string): Promise<void> {
  await db
    .updateTable("security_event_streams")
    .set({ claimed_by: null, claimed_until_ms: 0 })
    .where("issuer", "=", issuer)
    .where("claimed_by", "=", by)
    .execute();
}

/** Notes what is known of a stream now; what is not named stays. */
export async function noteStream(db: Database, issuer: string, facts: StreamFacts): Promise<void> {
  await ensure(db, issuer);
  await db.updateTable("security_event_streams").set(facts).where("issuer", "=", issuer).execute();
}

/** Notes that a token came, in seconds. */
export async function noteReceived(db: Database, issuer: string, at: number): Promise<void> {
  await ensure(db, issuer);
  await db
    .updateTable("security_event_streams")
    .set({ received_at: at })
    .where("issuer", "=", issuer)
    .execute();
}

/** Notes that a stream is verified if this is the state that was asked with last; false where it is not. */
export async function noteVerified(
  db: Database,
  issuer: string,
  state: string,
  at: number,
): Promise<boolean> {
  const result = await db
    .updateTable("security_event_streams")
    .set({ verified_at: at })
    .where("issuer", "=", issuer)
    .where("verification_state", "=", state)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** What is kept of a stream. */
export async function findStream(db: Database, issuer: string): Promise<StoredStream | undefined> {
  return db.selectFrom("security_event_streams").selectAll().where("issuer", "=", issuer).executeTakeFirst();
}

/** What is kept of all streams. */
export async function listStreams(db: Database): Promise<StoredStream[]> {
  return db.selectFrom("security_event_streams").selectAll().orderBy("issuer").execute();
}

async function ensure(db: Database, issuer: string): Promise<void> {
  await db
    .insertInto("security_event_streams")
    .values({ issuer })
    .onConflict((conflict) => conflict.column("issuer").doNothing())
    .execute();
}
