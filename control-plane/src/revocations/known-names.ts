import { printable } from "@sallyport/core/terminal-text.ts";
import { findRevocation } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";

/** Most names that a message lists. */
const MOST_SHOWN = 20;

/** True for exactly the name of a vendor that has members or engagements, or stands in the list. */
export async function isVendor(db: Database, name: string): Promise<boolean> {
  for (const table of ["members", "engagements"] as const) {
    const row = await db.selectFrom(table).select("vendor").where("vendor", "=", name).executeTakeFirst();
    if (row !== undefined) return true;
  }
  return (await findRevocation(db, "vendor", name)) !== undefined;
}

/** The vendors that there are, in a sentence. */
export async function vendorsText(db: Database): Promise<string> {
  const rows = await db
    .selectFrom("members")
    .select("vendor")
    .union(db.selectFrom("engagements").select("vendor"))
    .orderBy("vendor")
    .limit(MOST_SHOWN + 1)
    .execute();
  if (rows.length === 0) return "There are no vendors here yet.";
  const names = rows.slice(0, MOST_SHOWN).map(({ vendor }) => printable(vendor, 63));
  return `Vendors here: ${names.join(", ")}${rows.length > MOST_SHOWN ? ", and others" : ""}.`;
}

/** True for an issuer that identities are pinned at, that somebody has a certificate of, or that stands in the list. */
export async function isKnownIssuer(db: Database, issuer: string): Promise<boolean> {
  for (const table of ["identities", "staff_identities", "certificates"] as const) {
    const row = await db.selectFrom(table).select("issuer").where("issuer", "=", issuer).executeTakeFirst();
    if (row !== undefined) return true;
  }
  return (await findRevocation(db, "issuer", issuer)) !== undefined;
}

/** True for a person at an IdP who has ever signed in here: as a member, as staff, or with a token. */
export async function isKnownIdentity(db: Database, issuer: string, subject: string): Promise<boolean> {
  for (const table of ["identities", "staff_identities", "certificates", "api_tokens"] as const) {
    const row = await db
      .selectFrom(table)
      .select("issuer")
      .where("issuer", "=", issuer)
      .where("subject", "=", subject)
      .executeTakeFirst();
    if (row !== undefined) return true;
  }
  return false;
}
