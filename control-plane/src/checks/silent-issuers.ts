import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { Database } from "../database/tables.ts";

/** IdPs that hosts are to know as silent, and since when, in seconds: what a bundle's `silentIssuers` holds. */
export async function silentIssuers(db: Database): Promise<Bundle["silentIssuers"]> {
  const rows = await db
    .selectFrom("issuer_states")
    .select(["issuer", "silent_since_ms"])
    .where("told_at_ms", "is not", null)
    .orderBy("issuer")
    .limit(100)
    .execute();
  return rows.flatMap(({ issuer, silent_since_ms: since }) =>
    since === null ? [] : [{ issuer, since: Math.floor(since / 1000) }],
  );
}
