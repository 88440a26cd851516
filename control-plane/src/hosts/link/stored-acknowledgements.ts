import type { HostAcknowledgement } from "../../database/revocation-acknowledgements.ts";
import { noteAcknowledgements } from "../../database/revocation-acknowledgements.ts";
import type { Database } from "../../database/tables.ts";
import type { Environment } from "../../environment.ts";
import { errorFields } from "../../log.ts";

/** Before what could not be stored is tried again, in milliseconds. */
const AGAIN_MS = 1000;
const MAX_ENDED = 10_000;

/** What a {@link StoredAcknowledgements} needs. */
export interface StoredAcknowledgementsNeeds {
  db: Database;
  environment: Pick<Environment, "clock" | "log">;
}

/**
 * Keeps what hosts say of the revocation list, however late they say it. A fleet answers within a second: what comes while one
 * transaction is at it makes the next. Of each host there is one thing to be stored at most, also while the database is away.
 */
export class StoredAcknowledgements {
  readonly #needs: StoredAcknowledgementsNeeds;
  readonly #stored: (() => void)[] = [];
  #pending = new Map<string, HostAcknowledgement>();
  #working: Promise<void> | undefined;
  #isClosed = false;

  constructor(needs: StoredAcknowledgementsNeeds) {
    this.#needs = needs;
  }

  /** Calls this after every transaction. */
  onStored(listener: () => void): void {
    this.#stored.push(listener);
  }

  /** The host says that all up to this number is in force, and what that ended. */
  add(hostId: string, sequence: number, endedSessions: readonly string[]): void {
    const atMs = this.#needs.environment.clock();
    this.#put({ hostId, lowerTo: null, answer: { sequence, endedSessions, atMs } });
  }

  /** The host says at its sign-in that it has less than it once had. */
  lower(hostId: string, sequence: number): void {
    this.#pending.delete(hostId);
    this.#put({ hostId, lowerTo: sequence, answer: null });
  }

  /** Resolves when everything is stored, or could not be. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#working;
  }

  #put(news: HostAcknowledgement): void {
    this.#pending.set(news.hostId, merged(this.#pending.get(news.hostId), news));
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    // One turn of the event loop, so that what comes together is stored together.
    await new Promise(setImmediate);
    while (this.#pending.size > 0) {
      const writing = this.#pending;
      this.#pending = new Map();
      try {
        await noteAcknowledgements(this.#needs.db, [...writing.values()]);
        for (const listener of this.#stored) listener();
      } catch (error) {
        for (const [hostId, newer] of this.#pending)
          writing.set(hostId, newer.lowerTo === null ? merged(writing.get(hostId), newer) : newer);
        this.#pending = writing;
        this.#needs.environment.log.error(
          "what hosts say of revocations cannot be stored now",
          errorFields(error),
        );
        if (this.#isClosed) break;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
      }
    }
    this.#working = undefined;
  }
}

/** Both in one: answers are cumulative. */
function merged(older: HostAcknowledgement | undefined, newer: HostAcknowledgement): HostAcknowledgement {
  if (older === undefined || older.answer === null || newer.answer === null)
    return { ...newer, lowerTo: newer.lowerTo ?? older?.lowerTo ?? null };
  const { sequence, atMs } = older.answer.sequence > newer.answer.sequence ? older.answer : newer.answer;
  const ended = new Set([...older.answer.endedSessions, ...newer.answer.endedSessions]);
  const answer = { sequence, atMs, endedSessions: [...ended].slice(0, MAX_ENDED) };
  return { hostId: newer.hostId, lowerTo: older.lowerTo, answer };
}
