import type { Database, RecordingHoldsTable } from "./tables.ts";

/** Stores a hold. */
export async function addHold(
  db: Database,
  hold: Omit<RecordingHoldsTable, "lifted_by" | "lifted_at">,
): Promise<void> {
  await db
    .insertInto("recording_holds")
    .values({ ...hold, lifted_by: null, lifted_at: null })
    .execute();
}

/** Lifts a hold; undefined when there is none of that id that is not lifted. */
export async function liftHold(
  db: Database,
  id: string,
  lifted: { by: string; at: number },
): Promise<RecordingHoldsTable | undefined> {
  return db
    .updateTable("recording_holds")
    .set({ lifted_by: lifted.by, lifted_at: lifted.at })
    .where("id", "=", id)
    .where("lifted_at", "is", null)
    .returningAll()
    .executeTakeFirst();
}

/** Holds, newest first: those that hold, or with `lifted` all that ever were. */
export async function listHolds(
  db: Database,
  { lifted, limit }: { lifted: boolean; limit: number },
): Promise<RecordingHoldsTable[]> {
  let query = db.selectFrom("recording_holds").selectAll();
  if (!lifted) query = query.where("lifted_at", "is", null);
  return query.orderBy("placed_at", "desc").orderBy("id", "desc").limit(limit).execute();
}

/** True when an engagement is of this vendor. */
export async function hasVendor(db: Database, vendor: string): Promise<boolean> {
  const row = await db
    .selectFrom("engagements")
    .select("id")
    .where("vendor", "=", vendor)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** The ids of all sessions whose recordings something holds, as a query. */
export function heldRecordings(db: Database) {
  return db
    .selectFrom("sessions as held")
    .leftJoin("engagements as of", "of.id", "held.engagement_id")
    .innerJoin("recording_holds as hold", (join) =>
      join
        .on("hold.lifted_at", "is", null)
        .on(({ and, eb, or, ref }) =>
          or([
            and([eb("hold.level", "=", "session"), eb("hold.target", "=", ref("held.id"))]),
            and([eb("hold.level", "=", "engagement"), eb("hold.target", "=", ref("held.engagement_id"))]),
            and([eb("hold.level", "=", "vendor"), eb("hold.target", "=", ref("of.vendor"))]),
          ]),
        ),
    )
    .select("held.id");
}
