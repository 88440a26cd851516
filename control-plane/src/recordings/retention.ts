import { audit } from "../audit/audit.ts";
import { inTransaction } from "../database/open-database.ts";
import {
  type Cutoffs,
  dueRecordings,
  markDeleted,
  markRemoved,
  noteCompleted,
  recordingsToRemove,
} from "../database/recording-retention.ts";
import { markTidied, recordingPosition, untidyRecordings } from "../database/recordings.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { errorFields } from "../log.ts";
import type { RecordingPlaces } from "./recording-places.ts";
import { cutoffs, type Retention as Rules } from "./retention-configuration.ts";

/** How often it looks, in milliseconds; and how many recordings it takes at a time. */
const INTERVAL = 10 * 60 * 1000;
const AT_ONCE = 100;

/** What {@link Retention} needs. */
export interface RetentionNeeds {
  db: Database;
  environment: Environment;
  places: RecordingPlaces;
  rules: Rules;
}

/**
 * Deletes recordings that are past their retention. First the database says that one is deleted, together with the event
 * that tells of it; then its bytes go; then the database says that they are gone. Whatever stops this between two steps, the
 * next sweep goes on with it.
 */
export class Retention {
  readonly #needs: RetentionNeeds;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #stopped = false;

  constructor(needs: RetentionNeeds) {
    this.#needs = needs;
  }

  /** Sweeps now and then. */
  start(): void {
    const sweep = () => {
      this.sweep().catch((error: unknown) =>
        this.#needs.environment.log.error("recordings not swept", errorFields(error)),
      );
    };
    this.#timer = setInterval(sweep, INTERVAL);
    this.#timer.unref();
    sweep();
  }

  /** Stops after the recording that it is at. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped = true;
    await this.#sweeping?.catch(() => undefined);
  }

  /** Deletes everything that is due now. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { db, environment, rules } = this.#needs;
    const now = seconds(environment.clock);
    await noteCompleted(db, now);
    await this.#removeBytes(now);
    const past = cutoffs(rules, now);
    await this.#tidy(now);
    for (;;) {
      const due = await dueRecordings(db, past, AT_ONCE);
      for (const session of due) {
        if (this.#stopped) return;
        await this.#delete(session, past, now);
      }
      await this.#removeBytes(now);
      if (due.length < AT_ONCE) return;
    }
  }

  async #delete(session: string, past: Cutoffs, now: number): Promise<void> {
    const { db, environment } = this.#needs;
    await inTransaction(db, async (transaction) => {
      const row = await recordingPosition(transaction, session);
      if (row === undefined) return;
      // The event first: it takes the log's turn, which a hold takes as well. Whichever comes second sees the first.
      await audit(transaction, environment, {
        type: "recording-deleted",
        actor: "retention",
        data: {
          session,
          host: row.host_id,
          completedAt: row.completed_at,
          blocks: row.next_sequence,
          headHash: row.head_hash,
        },
      });
      if (!(await markDeleted(transaction, session, past, now))) throw NOT_DUE;
    }).catch((error: unknown) => {
      if (error !== NOT_DUE) throw error;
    });
  }

  /** What came in many small objects is put into few, once it is complete. */
  async #tidy(now: number): Promise<void> {
    const { db, environment, places } = this.#needs;
    for (const row of await untidyRecordings(db, AT_ONCE)) {
      if (this.#stopped) return;
      const { session_id: session, host_id: hostId } = row;
      try {
        await places.of(row).tidy?.({ hostId, session });
        await markTidied(db, session, now);
      } catch (error) {
        environment.log.warn("recording not tidied, which is tried again", {
          session,
          ...errorFields(error),
        });
      }
    }
  }

  async #removeBytes(now: number): Promise<void> {
    const { db, environment, places } = this.#needs;
    for (const row of await recordingsToRemove(db, AT_ONCE)) {
      if (this.#stopped) return;
      const { session_id: session, host_id: hostId } = row;
      try {
        await places.of(row).remove({ hostId, session });
        await inTransaction(db, (transaction) => markRemoved(transaction, session, now));
      } catch (error) {
        // One that cannot be removed keeps none of the others.
        environment.log.error("recording deleted, but its bytes are not gone yet", {
          session,
          ...errorFields(error),
        });
      }
    }
  }
}

/** Rolls a deletion back, event and all: it was held, or deleted, before its turn came. */
const NOT_DUE = new Error("not due");
