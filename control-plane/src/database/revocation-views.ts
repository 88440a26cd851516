import type { RevocationView } from "@sallyport/core/messages/revocations.ts";
import type { Selectable } from "kysely";
import type { Database, RevocationsTable } from "./tables.ts";

/** Which revocations to list. */
export interface RevocationFilter {
  level?: string | undefined;
  /** As the list has it. */
  target?: string | undefined;
  inForce?: boolean | undefined;
  /** An id: only older ones. */
  before?: string | undefined;
  limit: number;
}

/** Revocations, newest first. */
export async function listRevocationViews(db: Database, filter: RevocationFilter): Promise<RevocationView[]> {
  const { level, target, inForce, before, limit } = filter;
  const rows = await placed(db)
    .$if(level !== undefined, (query) => query.where("level", "=", level ?? ""))
    .$if(target !== undefined, (query) => query.where("target", "=", target ?? ""))
    .$if(before !== undefined, (query) =>
      query.where("sequence", "<", (inner) =>
        inner
          .selectFrom("revocations")
          .select("sequence")
          .where("id", "=", before ?? ""),
      ),
    )
    .$if(inForce !== undefined, (query) =>
      query.where(({ eb, and, or, not }) => {
        const isLifting = and([
          eb("signed_in_before", "is not", null),
          eb("previous", "=", eb.ref("previous_whole")),
        ]);
        const counts = and([
          eb("sequence", "=", eb.ref("newest")),
          or([eb("previous", "is", null), not(isLifting)]),
        ]);
        return inForce === true ? counts : not(counts);
      }),
    )
    .orderBy("sequence", "desc")
    .limit(limit)
    .execute();
  return views(db, rows);
}

/** One of them. */
export async function revocationViewById(db: Database, id: string): Promise<RevocationView | undefined> {
  const rows = await placed(db).where("id", "=", id).execute();
  return (await views(db, rows))[0];
}

/** The numbers of all entries of the request that this one is of. */
export async function sequencesOfRequest(
  db: Database,
  { id, requestId }: Pick<RevocationView, "id" | "requestId">,
): Promise<number[]> {
  const first = requestId ?? id;
  const rows = await db
    .selectFrom("revocations")
    .select("sequence")
    .where((where) => where.or([where("id", "=", first), where("request_id", "=", first)]))
    .execute();
  return rows.map(({ sequence }) => sequence);
}

/** Each entry with where it stands among those of its target. */
function placed(db: Database) {
  return db
    .selectFrom(
      db
        .selectFrom("revocations as own")
        .selectAll("own")
        .select(({ selectFrom }) => {
          const others = selectFrom("revocations as other")
            .whereRef("other.level", "=", "own.level")
            .whereRef("other.target", "=", "own.target");
          const before = others.whereRef("other.sequence", "<", "own.sequence");
          const after = others.whereRef("other.sequence", ">", "own.sequence");
          return [
            others.select(({ fn }) => fn.max("other.sequence").as("n")).as("newest"),
            before.select(({ fn }) => fn.max("other.sequence").as("n")).as("previous"),
            before
              .where("other.signed_in_before", "is", null)
              .select(({ fn }) => fn.max("other.sequence").as("n"))
              .as("previous_whole"),
            after
              .where("other.signed_in_before", "is not", null)
              .select(({ fn }) => fn.min("other.sequence").as("n"))
              .as("narrowed"),
          ];
        })
        .as("placed"),
    )
    .selectAll();
}

type PlacedRow = Selectable<RevocationsTable> &
  Record<"newest" | "previous" | "previous_whole" | "narrowed", number | null>;

async function views(db: Database, rows: readonly PlacedRow[]): Promise<RevocationView[]> {
  const sequences = rows.flatMap(({ narrowed, signed_in_before }) =>
    narrowed === null || signed_in_before !== null ? [] : [narrowed],
  );
  const liftings =
    sequences.length === 0
      ? []
      : await db.selectFrom("revocations").selectAll().where("sequence", "in", sequences).execute();
  const bySequence = new Map(liftings.map((row) => [row.sequence, row]));
  return rows.map((row) => view(row, bySequence));
}

function view(row: PlacedRow, liftings: ReadonlyMap<number, Selectable<RevocationsTable>>): RevocationView {
  const { id, sequence, level, target, name, at, by, reason, signed_in_before: before, request_id } = row;
  const kind = kindOf(row);
  const lifting = kind === "everything" && row.narrowed !== null ? liftings.get(row.narrowed) : undefined;
  return {
    ...{ id, sequence, level, target, kind, at, by, reason, before },
    name: name ?? target,
    inForce: sequence === row.newest && kind !== "lifting",
    lifted:
      lifting === undefined
        ? null
        : { id: lifting.id, at: lifting.at, by: lifting.by, reason: lifting.reason },
    requestId: request_id,
  };
}

function kindOf({ signed_in_before, previous, previous_whole }: PlacedRow): RevocationView["kind"] {
  if (signed_in_before === null) return "everything";
  return previous !== null && previous === previous_whole ? "lifting" : "sign-ins";
}
