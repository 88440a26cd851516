import type { HostMessage } from "@sallyport/core/messages/host-link.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import type { Logger } from "winston";
import type { PolicyStore } from "../policy/policy-store.ts";
import { narrowBy, type RevocationsMessage, takeRevocations } from "../policy/take-revocations.ts";

/** The same question is not asked again within this time. */
const ASK_AGAIN_MS = 5_000;

export interface RevocationSyncContext {
  policy: Pick<PolicyStore, "bundle" | "list" | "settle" | "aside">;
  send(message: HostMessage): boolean;
  /** Ends sessions and connections that may not go on; resolves with the sessions' ids. */
  endWhatMust(): Promise<SessionId[]>;
  /** What sshd itself is told of revoked keys and certificates may be another thing now. */
  onChanged(): void;
  log: Logger;
}

/** Keeps the host's revocation list as the control plane's is: takes entries, asks for missing ones, says what is in force. */
export class RevocationSync {
  readonly #context: RevocationSyncContext;
  /** The newest number that the control plane has spoken of. */
  #newest = 0;
  /** What ended where nobody could tell yet whether that is all: not before there is a bundle. */
  #owed: Promise<SessionId[]> | undefined;
  #asked: { after: number; at: number } | undefined;

  constructor(context: RevocationSyncContext) {
    this.#context = context;
  }

  /** How many entries are missing here, as far as is known. */
  get behind(): number {
    return Math.max(0, this.#newest - this.#context.policy.list.sequence);
  }

  /** A new connection: what was asked on the one before is not answered any more. */
  connected(): void {
    this.#asked = undefined;
    this.#context.policy.list.abandonWhole();
  }

  /** In force the moment it is here, before its turn among other messages has come. Gives what {@link take} is to wait for. */
  narrow(message: RevocationsMessage): Promise<SessionId[]> {
    const { policy, endWhatMust, log } = this.#context;
    narrowBy(policy.list, message);
    const ended = endWhatMust();
    // Nobody may wait for it: for a message that is refused nobody does.
    ended.catch(() => {});
    log.info("revocations arrived", { after: message.after, entries: message.entries.length });
    return ended;
  }

  /** Stores entries; acknowledged when all before them are stored too, and what they end has ended (`ended`). */
  async take(message: RevocationsMessage, ended: Promise<SessionId[]>): Promise<void> {
    const { policy, log } = this.#context;
    const { after, entries, sequence } = message;
    this.#newest = Math.max(sequence, after + entries.length);
    let outcome: ReturnType<typeof takeRevocations>;
    try {
      outcome = takeRevocations(policy.list, message);
    } catch (error) {
      // The disk is full: what takes access away is in force all the same, and what is not acknowledged comes again.
      log.error("revocations could not be stored", { after, sequence, error: String(error) });
      return;
    }
    for (const { sequence, level, target } of entries.slice(0, 20))
      log.info("revocation", { sequence, level, target });
    if (outcome === "gap") this.ask(policy.list.sequence);
    else if (outcome === "malformed")
      log.error("revocations with wrong numbers were refused", { after, sequence });
    else if (outcome === "stored") this.#stored(ended);
  }

  /** A document was put aside or a list is complete: asks for what is missing, and says what could not be said without a bundle. */
  askForWhatIsMissing(): void {
    const { policy } = this.#context;
    if (this.#owed !== undefined && policy.bundle !== null) this.#acknowledge();
    const { aside } = policy;
    if (aside === null || policy.list.wholeSequence !== undefined) return;
    this.#newest = Math.max(this.#newest, aside.sequence);
    if (aside.standing === "behind") this.ask(policy.list.sequence);
    else if (aside.standing === "differs") this.ask(0);
  }

  ask(after: number): void {
    const now = performance.now();
    if (this.#asked?.after === after && now - this.#asked.at < ASK_AGAIN_MS) return;
    this.#asked = { after, at: now };
    this.#context.log.warn("revocations are missing here", { after, newest: this.#newest });
    this.#context.send({ type: "revocations-query", after });
  }

  #stored(ended: Promise<SessionId[]>): void {
    const { policy, onChanged } = this.#context;
    this.#asked = undefined;
    policy.settle();
    onChanged();
    this.#acknowledge(ended);
    this.askForWhatIsMissing();
  }

  #acknowledge(ended?: Promise<SessionId[]>): void {
    const { policy, send, endWhatMust, log } = this.#context;
    const { sequence } = policy.list;
    if (sequence === 0) return;
    // Once more: the list may have been longer than what was in force at once, or has given something back.
    const endings = Promise.all([this.#owed, ended, endWhatMust()]).then((all) =>
      all.flatMap((one) => one ?? []),
    );
    this.#owed = policy.bundle === null ? endings : undefined;
    if (this.#owed !== undefined) {
      endings.catch(() => {});
      return;
    }
    void endings.then(
      (ended) => {
        const endedSessions = [...new Set(ended)].slice(0, MAX_ENDED);
        send({ type: "revocation-ack", sequence, endedSessions });
        log.info("revocations are in force", { sequence, ended: endedSessions.length });
      },
      (error: unknown) => log.error("what was revoked could not be ended", { error: String(error) }),
    );
  }
}

const MAX_ENDED = 10_000;
