import type { Database, EndedIdpSessionsTable, SignInSessionsTable } from "./tables.ts";

/** Notes which session at the IdP a sign-in came from. */
export async function addSignInSession(db: Database, session: SignInSessionsTable): Promise<void> {
  await db.insertInto("sign_in_sessions").values(session).execute();
}

/** Who has signed in here from this session at the IdP. */
export async function subjectsOfSession(db: Database, issuer: string, sid: string): Promise<string[]> {
  const rows = await db
    .selectFrom("sign_in_sessions")
    .select("subject")
    .distinct()
    .where("issuer", "=", issuer)
    .where("sid", "=", sid)
    .execute();
  return rows.map(({ subject }) => subject);
}

/** Somebody's session at their IdP. */
export interface IdpSession {
  issuer: string;
  subject: string;
  sid: string;
}

/**
 * The keys that somebody got certificates for by this session, or by one that is not known, and that could still do something: with a
 * certificate that holds, from a sign-in after `renewableSince`, or with a live session. Times in seconds.
 */
export async function keysOfSession(
  db: Database,
  { issuer, subject, sid }: IdpSession,
  { now, renewableSince }: { now: number; renewableSince: number },
): Promise<string[]> {
  const rows = await db
    .selectFrom("certificates")
    .leftJoin("sign_in_sessions", (join) =>
      join
        .onRef("sign_in_sessions.issuer", "=", "certificates.issuer")
        .onRef("sign_in_sessions.subject", "=", "certificates.subject")
        .onRef("sign_in_sessions.key_fingerprint", "=", "certificates.key_fingerprint"),
    )
    .select("certificates.key_fingerprint")
    .distinct()
    .where("certificates.issuer", "=", issuer)
    .where("certificates.subject", "=", subject)
    .where(({ or, eb }) => or([eb("sign_in_sessions.sid", "is", null), eb("sign_in_sessions.sid", "=", sid)]))
    .where(({ or, eb, exists, selectFrom }) =>
      or([
        eb("certificates.valid_before", ">", now),
        eb("certificates.signed_in_at", ">", renewableSince),
        exists(
          selectFrom("sessions")
            .select("sessions.id")
            .whereRef("sessions.certificate_serial", "=", "certificates.serial")
            .where("sessions.ended_at_ms", "is", null),
        ),
      ]),
    )
    .execute();
  return rows.map((row) => row.key_fingerprint);
}

/** Forgets the API tokens of the sign-ins that came from this session, or from one that is not known; how many there were. */
export async function deleteSessionTokens(
  db: Database,
  { issuer, subject, sid }: IdpSession,
): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom("api_tokens")
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .where("kind", "in", ["sign-in", "brokered"])
    .where("hash", "not in", (inner) =>
      inner
        .selectFrom("sign_in_sessions")
        .select("api_token_hash")
        .where("issuer", "=", issuer)
        .where("subject", "=", subject)
        .where("sid", "!=", sid),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

/** Notes that a session is over, and forgets those of which no ID token can come any more. */
export async function endIdpSession(db: Database, ended: EndedIdpSessionsTable): Promise<void> {
  await db.deleteFrom("ended_idp_sessions").where("expires_at", "<=", ended.ended_at).execute();
  await db
    .insertInto("ended_idp_sessions")
    .values(ended)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** When the IdP ended this session, in seconds; undefined while it has not said so. */
export async function sessionEndedAt(db: Database, issuer: string, sid: string): Promise<number | undefined> {
  const row = await db
    .selectFrom("ended_idp_sessions")
    .select("ended_at")
    .where("issuer", "=", issuer)
    .where("sid", "=", sid)
    .executeTakeFirst();
  return row?.ended_at;
}
