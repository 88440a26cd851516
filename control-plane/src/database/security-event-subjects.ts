import type { Database } from "./tables.ts";

/** Up to `most` of the people of an issuer, members and staff, who were not added to this stream. */
export async function subjectsToAdd(
  db: Database,
  { issuer, streamId }: { issuer: string; streamId: string },
  most: number,
): Promise<string[]> {
  const found = new Set<string>();
  for (const table of ["identities", "staff_identities"] as const) {
    const rows = await db
      .selectFrom(table)
      .select("subject")
      .where("issuer", "=", issuer)
      .where("subject", "not in", (inner) =>
        inner
          .selectFrom("security_event_subjects")
          .select("security_event_subjects.subject")
          .where("security_event_subjects.issuer", "=", issuer)
          .where("security_event_subjects.stream_id", "=", streamId),
      )
      .limit(most)
      .execute();
    for (const { subject } of rows) found.add(subject);
  }
  return [...found].slice(0, most);
}

/** Notes that somebody was added to a stream. */
export async function noteSubjectAdded(
  db: Database,
  { issuer, streamId, subject }: { issuer: string; streamId: string; subject: string },
): Promise<void> {
  await db
    .insertInto("security_event_subjects")
    .values({ issuer, stream_id: streamId, subject })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
