import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { SessionId } from "@sallyport/core/names.ts";

/**
 * Copies an SQLite database as it is at one moment, while others write to it, into `copy`, which may not be there; memory stays flat.
 * Not by Kysely, which would bring an older database up to date: what is backed up is left as it is.
 */
export function snapshot(database: string, copy: string): void {
  // VACUUM INTO takes an empty file that is there, and its mode stays (https://www.sqlite.org/lang_vacuum.html).
  closeSync(openSync(copy, "wx", 0o600));
  const source = new DatabaseSync(database, { timeout: 10_000 });
  try {
    source.prepare("VACUUM INTO ?").run(copy);
  } finally {
    source.close();
  }
}

/** The newest checkpoint that a database has of the log of this name; null where it has none. */
export function checkpointIn(database: string, origin: string): string | null {
  const source = new DatabaseSync(database, { readOnly: true });
  try {
    const newest = "SELECT note FROM audit_checkpoints WHERE origin = ? ORDER BY size DESC LIMIT 1";
    const row = source.prepare(newest).get(origin);
    return row === undefined ? null : String(row.note);
  } finally {
    source.close();
  }
}

/** Recordings that a database has in the directory, each with the bytes that were acknowledged; one at a time. */
export function* recordingsIn(
  database: string,
): Generator<{ hostId: string; session: SessionId; length: number }> {
  const source = new DatabaseSync(database, { readOnly: true });
  try {
    const rows = source.prepare(
      "SELECT host_id, session_id, length FROM recordings WHERE storage IS NULL AND deleted_at IS NULL AND length > 0",
    );
    for (const { host_id, session_id, length } of rows.iterate())
      yield { hostId: String(host_id), session: SessionId.parse(session_id), length: Number(length) };
  } finally {
    source.close();
  }
}

/**
 * True when another process has this database open: a connection in WAL mode holds a lock on the file for as long as it is there, and the
 * exclusive mode (https://www.sqlite.org/pragma.html#pragma_locking_mode) needs it alone.
 */
export function isOpenElsewhere(database: string): boolean {
  const connection = new DatabaseSync(database, { timeout: 0 });
  try {
    connection.exec("PRAGMA locking_mode = EXCLUSIVE");
    connection.exec("BEGIN EXCLUSIVE");
    connection.exec("ROLLBACK");
    return false;
  } catch (error) {
    // SQLITE_BUSY; whatever else is wrong with the file is no reason to believe that somebody has it.
    return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === 5;
  } finally {
    connection.close();
  }
}
