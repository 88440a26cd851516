import { sql } from "kysely";
import { z } from "zod";
import type { Database } from "./tables.ts";
import { isPostgres } from "./write-lock.ts";

/** The channel that replicas listen on. */
export const CHANNEL = "sallyport";

/** What replicas tell one another. Nothing hangs on it that they would not find in the tables a little later. */
export const Notification = z.discriminatedUnion("type", [
  /** The audit log has news for hosts. */
  z.object({ type: z.literal("log-grown") }),
  /** Bundles may have changed without an event in the audit log. */
  z.object({ type: z.literal("publish"), from: z.string() }),
  /** A host has connected to `from`. */
  z.object({ type: z.literal("linked"), from: z.string(), hostId: z.string() }),
  /** Hosts of `from` have answered to a revocation, or have their bundles. */
  z.object({ type: z.literal("answered"), from: z.string() }),
  /** An issuer signs with a key that hosts may not know. */
  z.object({ type: z.literal("keys"), from: z.string(), issuer: z.string(), kid: z.string() }),
]);
export type Notification = z.infer<typeof Notification>;

/** Tells all replicas, once the transaction is committed. With SQLite there is nobody to tell. */
export async function notify(db: Database, notification: Notification): Promise<void> {
  if (!isPostgres(db)) return;
  await sql`select pg_notify(${CHANNEL}, ${JSON.stringify(notification)})`.execute(db);
}
