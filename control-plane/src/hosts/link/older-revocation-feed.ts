import type { ServerMessage } from "@sallyport/core/messages/host-link.ts";
import type { OlderRevocation } from "../../policy/for-older-hosts.ts";

/** New entries for hosts that do not keep the list apart. */
export interface OlderNews {
  entries: readonly OlderRevocation[];
  /** The number of the newest entry that they were made from. */
  last: number;
}

/** Pushes entries to one host that has the list in its bundle: each is in force at once, and the bundle that follows has it, too. */
export class OlderRevocationFeed {
  readonly #send: (message: ServerMessage) => void;
  #pushed = 0;

  constructor(send: (message: ServerMessage) => void) {
    this.#send = send;
  }

  /** Sends what it has not been sent before. */
  push({ entries, last }: OlderNews): void {
    for (const entry of entries) {
      // Without the key that our own type has: such a host refuses a message with it.
      if (entry.sequence > this.#pushed)
        this.#send({ type: "revocation", entry } as Extract<ServerMessage, { type: "revocation" }>);
    }
    this.#pushed = Math.max(this.#pushed, last);
  }
}
