import type { Database } from "./tables.ts";

/** Groups by the claim that named them. */
export type Groups = ReadonlyMap<string, readonly string[]>;

/** Somebody's groups, as an ID token of theirs says. Times in seconds since the epoch. */
interface NamedGroups {
  issuer: string;
  subject: string;
  groups: Groups;
  /** `iat` of the token. */
  issuedAt: number;
  seenAt: number;
}

/** Remembers the groups of a sign-in. What an older ID token says does not undo what a newer one said. */
export async function noteGroups(db: Database, named: NamedGroups): Promise<void> {
  const { issuer, subject, groups } = named;
  // A NumericDate may have a fraction (RFC 7519 §2), a bigint has none.
  const issuedAt = Math.floor(named.issuedAt);
  const row = {
    groups_json: JSON.stringify(Object.fromEntries(groups)),
    issued_at: issuedAt,
    seen_at: named.seenAt,
  };
  await db
    .insertInto("identity_groups")
    .values({ issuer, subject, ...row })
    .onConflict((conflict) =>
      conflict
        .columns(["issuer", "subject"])
        .doUpdateSet(row)
        .where("identity_groups.issued_at", "<=", issuedAt),
    )
    .execute();
}

/** The groups of the latest sign-in, if that was after `since`. */
export async function groupsOf(
  db: Database,
  issuer: string,
  subject: string,
  since: number,
): Promise<Groups> {
  const row = await db
    .selectFrom("identity_groups")
    .select("groups_json")
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .where("seen_at", ">", since)
    .executeTakeFirst();
  return new Map(Object.entries(row === undefined ? {} : (JSON.parse(row.groups_json) as object)));
}
