import type { Selectable } from "kysely";
import type { Database, IssuerStatesTable } from "./tables.ts";

/** How it stands with asking an IdP. */
export type IssuerState = Selectable<IssuerStatesTable>;

/** Written so often at most, in milliseconds, while all is well. */
const NOTED_EVERY = 5000;

/** How it stands with one IdP; undefined before it was asked. */
export async function issuerState(db: Database, issuer: string): Promise<IssuerState | undefined> {
  return db.selectFrom("issuer_states").selectAll().where("issuer", "=", issuer).executeTakeFirst();
}

/** How it stands with each IdP that was ever asked. */
export async function listIssuerStates(db: Database): Promise<IssuerState[]> {
  return db.selectFrom("issuer_states").selectAll().orderBy("issuer").execute();
}

/**
 * Notes an answer. Returns the state as it was when this ends a silence: whoever gets it tells of it. What could not be asked about
 * meanwhile counts from now. In a transaction; `now` in milliseconds.
 */
export async function noteAnswered(
  db: Database,
  issuer: string,
  now: number,
): Promise<IssuerState | undefined> {
  const before = await issuerState(db, issuer);
  if (before !== undefined && before.failures === 0 && (before.answered_at_ms ?? 0) > now - NOTED_EVERY)
    return undefined;
  const state = {
    ...{ answered_at_ms: now, silent_since_ms: null, told_at_ms: null, failures: 0 },
    ...{ back_off_until_ms: 0, problem: null },
  };
  await db
    .insertInto("issuer_states")
    .values({ issuer, ...state })
    .onConflict((conflict) => conflict.column("issuer").doUpdateSet(state))
    .execute();
  if (before === undefined || before.silent_since_ms === null) return undefined;
  await db
    .updateTable("sign_in_grants")
    .set({ failing_since_ms: now })
    .where("issuer", "=", issuer)
    .where("failing_since_ms", "is not", null)
    .execute();
  return before;
}

/** A question that got no answer. Times in milliseconds. */
export interface NoAnswer {
  issuer: string;
  askedAt: number;
  now: number;
  problem: string;
  /** When it may be asked again, by how often it has failed: at least 1. */
  backOffUntil(failures: number): number;
}

/** Notes a question that got no answer. Returns how many in a row there are. In a transaction. */
export async function noteUnanswered(
  db: Database,
  { issuer, askedAt, now, problem, backOffUntil }: NoAnswer,
): Promise<{ failures: number; backOffUntil: number }> {
  const before = await issuerState(db, issuer);
  // What was under way together fails together, and counts once.
  const isSame = before !== undefined && before.failures > 0 && before.back_off_until_ms > now;
  const failures = (before?.failures ?? 0) + (isSame ? 0 : 1);
  const until = Math.max(backOffUntil(failures), isSame ? before.back_off_until_ms : 0);
  const since = before?.silent_since_ms ?? Math.max(askedAt, before?.answered_at_ms ?? 0);
  const state = { failures, problem, silent_since_ms: since, back_off_until_ms: until };
  await db
    .insertInto("issuer_states")
    .values({ issuer, answered_at_ms: null, told_at_ms: null, ...state })
    .onConflict((conflict) => conflict.column("issuer").doUpdateSet(state))
    .execute();
  return { failures, backOffUntil: until };
}

/** Notes that hosts are told of a silence; false where they were, or it is over. */
export async function noteTold(db: Database, issuer: string, now: number): Promise<boolean> {
  const result = await db
    .updateTable("issuer_states")
    .set({ told_at_ms: now })
    .where("issuer", "=", issuer)
    .where("silent_since_ms", "is not", null)
    .where("told_at_ms", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}
