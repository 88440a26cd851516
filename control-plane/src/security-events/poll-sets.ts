import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { z } from "zod";
import {
  claimSecurityEventStream,
  findStream,
  noteStream,
  releaseSecurityEventStream,
} from "../database/security-event-streams.ts";
import { seconds } from "../environment.ts";
import { bearerOf, callTransmitter } from "./call-transmitter.ts";
import { MAX_SET } from "./decode-set.ts";
import { type ReceivingNeeds, receivePolled } from "./receive-set.ts";
import { Repeating } from "./repeating.ts";
import { SetError } from "./set-error.ts";
import type { Transmitter } from "./transmitter.ts";

const MAX_EVENTS = 50;
const MAX_ANSWER = MAX_EVENTS * MAX_SET + 65_536;
/** A long poll is given up after so long; the IdP answers sooner by itself. */
const LONG_POLL_MS = 90_000;
/** An answer without tokens that came sooner is of an IdP that does not wait. */
const AT_ONCE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A replica that is gone keeps a stream for so long; of two that were at it for a moment, neither would do harm. */
const CLAIM_MS = 5000;
const RENEW_CLAIM_MS = 1500;

const Answer = z.looseObject({
  // Each is judged for itself: one that is wrong must not keep the others waiting for ever.
  sets: z.record(z.string(), z.unknown()).default({}),
  moreAvailable: z.boolean().default(false),
});

/**
 * Fetches SETs from a transmitter (RFC 8936) by long polls, one after the other, in one replica. A token is acknowledged with the
 * poll after the commit of what it does, so none is lost; one that comes again is known by its `jti`. One that is refused for good
 * is told as an error, once; one that may pass later is left with the transmitter.
 */
export class Poller {
  readonly #needs: ReceivingNeeds;
  readonly #transmitter: Transmitter;
  readonly #replica: string;
  readonly #repeating: Repeating;
  #acknowledge = new Set<string>();
  #errors = new Map<string, { err: string; description: string }>();
  /** After a failure they are fetched one by one: what is too much at once is not too much for ever. */
  #isWary = false;
  /** What is kept as a problem may be ours, from before; else it is of who manages the stream. */
  #hasProblem: boolean;

  constructor(needs: ReceivingNeeds, transmitter: Transmitter, replica: string) {
    this.#needs = needs;
    this.#transmitter = transmitter;
    this.#replica = replica;
    this.#hasProblem = transmitter.stream?.manage !== true;
    const { issuer } = transmitter;
    this.#repeating = new Repeating(needs.environment, {
      name: "polling for security events",
      fields: { issuer: transmitter.iss },
      longestPause: LONGEST_PAUSE_MS,
      turn: (signal) => this.#turn(signal),
      onFailure: (error) => {
        this.#hasProblem = true;
        return noteStream(needs.db, issuer, { problem: problemOf(error) });
      },
    });
  }

  start(): void {
    this.#repeating.start();
  }

  async close(): Promise<void> {
    await this.#repeating.close();
    await releaseSecurityEventStream(this.#needs.db, this.#transmitter.issuer, this.#replica).catch(() => {});
  }

  async #turn(signal: AbortSignal): Promise<number> {
    if (!(await this.#claim())) return RENEW_CLAIM_MS;
    const lost = new AbortController();
    const renewing = setInterval(() => {
      this.#claim().then(
        (isOurs) => isOurs || lost.abort(),
        () => {},
      );
    }, RENEW_CLAIM_MS);
    try {
      return await this.#poll(AbortSignal.any([signal, lost.signal]));
    } catch (error) {
      if (lost.signal.aborted) return RENEW_CLAIM_MS;
      throw error;
    } finally {
      clearInterval(renewing);
    }
  }

  #claim(): Promise<boolean> {
    const now = this.#needs.environment.clock();
    const claim = { by: this.#replica, now, until: now + CLAIM_MS };
    return claimSecurityEventStream(this.#needs.db, this.#transmitter.issuer, claim);
  }

  /** Polls once, and takes what came. Resolves to the pause until the next poll. */
  async #poll(signal: AbortSignal): Promise<number> {
    const { db, environment } = this.#needs;
    const { poll, stream, issuer } = this.#transmitter;
    const url = poll?.url ?? (await findStream(db, issuer))?.poll_url;
    if (poll === undefined || url == null) return AT_ONCE_MS;
    const told = [...this.#acknowledge, ...this.#errors.keys()];
    const begun = performance.now();
    const answer = await callTransmitter({
      method: "POST",
      url,
      authorization: bearerOf(poll.tokenFile ?? stream?.tokenFile),
      body: this.#request(),
      timeoutMs: LONG_POLL_MS,
      maxBytes: MAX_ANSWER,
      signal,
    }).catch((error: unknown) => {
      if (!signal.aborted && performance.now() - begun >= LONG_POLL_MS - AT_ONCE_MS) return undefined;
      this.#isWary = true;
      throw error;
    });
    if (answer === undefined) return 0;
    const { success, data } = Answer.safeParse(answer.json);
    this.#isWary ||= !success;
    if (answer.status !== 200 || !success) throw unusable(url, answer.status);
    for (const jti of told) {
      this.#acknowledge.delete(jti);
      this.#errors.delete(jti);
    }
    const sets = Object.entries(data.sets);
    await this.#take(sets);
    this.#isWary &&= data.moreAvailable;
    const well = this.#hasProblem ? { problem: null } : {};
    await noteStream(db, issuer, { checked_at: seconds(environment.clock), ...well });
    this.#hasProblem = false;
    if (sets.some(([jti]) => !told.includes(jti))) return 0;
    // It does not wait, or sends again what it was told of: either would go round and round.
    const isQuick = performance.now() - begun < AT_ONCE_MS;
    return isQuick ? poll.pause * 1000 : 0;
  }

  #request(): object {
    return {
      maxEvents: this.#isWary ? 1 : MAX_EVENTS,
      returnImmediately: false,
      ...(this.#acknowledge.size === 0 ? {} : { ack: [...this.#acknowledge] }),
      ...(this.#errors.size === 0 ? {} : { setErrs: Object.fromEntries(this.#errors) }),
    };
  }

  /** Takes tokens, each for itself. Throws when all is taken that can be, if some may pass later. */
  async #take(sets: readonly [jti: string, compact: unknown][]): Promise<void> {
    let later: unknown;
    for (const [jti, compact] of sets) {
      try {
        if (typeof compact !== "string") throw new SetError("invalid_request", "The token is no text.");
        await receivePolled(this.#needs, compact, { transmitter: this.#transmitter, jti });
        this.#acknowledge.add(jti);
      } catch (error) {
        if (error instanceof SetError) this.#errors.set(jti, { err: error.code, description: error.message });
        else later = error;
      }
    }
    if (later !== undefined) throw later;
  }
}

function unusable(url: string, status: number): SallyportError {
  const advice = status === 401 || status === 403 ? ": check the token in tokenFile" : " without tokens";
  return new SallyportError("issuer-unreachable", `${new URL(url).host} answered ${status}${advice}.`);
}

/** What to show people of a failure. */
export function problemOf(error: unknown): string {
  return isSallyportError(error)
    ? error.message
    : "The control plane ran into an error of its own; see its log.";
}
