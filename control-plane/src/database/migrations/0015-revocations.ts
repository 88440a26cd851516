import { Revocation } from "@sallyport/core/policy/revocation.ts";
import { chainRevocation, EMPTY_REVOCATION_CHAIN } from "@sallyport/core/policy/revocation-chain.ts";
import type { Kysely } from "kysely";

/** What this reads and writes, as it is in the middle of it. */
interface RevocationRows {
  revocations: Omit<Revocation, "before"> & { signed_in_before: number | null; chain: string };
}

/** The revocation list as a chain, entries that reach only earlier sign-ins, and what each host has of it. */
export async function up(db: Kysely<RevocationRows>): Promise<void> {
  await db.schema.alterTable("revocations").addColumn("signed_in_before", "bigint").execute();
  await db.schema
    .alterTable("revocations")
    .addColumn("chain", "text", (column) => column.notNull().defaultTo(""))
    .execute();
  let chain = EMPTY_REVOCATION_CHAIN;
  for (const row of await db.selectFrom("revocations").selectAll().orderBy("sequence").execute()) {
    const { signed_in_before: _new, chain: _empty, ...entry } = row;
    chain = chainRevocation(chain, Revocation.parse({ ...entry, before: null }));
    await db.updateTable("revocations").set({ chain }).where("sequence", "=", row.sequence).execute();
  }
  await db.schema.alterTable("certificates").addColumn("signed_in_at", "bigint").execute();
  await db.schema
    .alterTable("hosts")
    .addColumn("lease_until", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .alterTable("hosts")
    .addColumn("revocation_sequence", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable("hosts").addColumn("revocation_acknowledged_at", "bigint").execute();
  await db.schema
    .alterTable("revocation_acknowledgements")
    .addColumn("at_ms", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
}
