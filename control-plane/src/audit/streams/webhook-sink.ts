import type { Clock } from "../../environment.ts";
import { postWebhook, readWebhookSecret, type WebhookTarget } from "../../outgoing/webhook.ts";
import type { Sink, StreamedEvent } from "./streamed-event.ts";

/** Posts events in batches, `{type: "audit-events", events: […]}`; delivered when the receiver answers 2xx. */
export class WebhookSink implements Sink {
  readonly #target: WebhookTarget;
  readonly #clock: Clock;

  constructor(target: WebhookTarget, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
  }

  async send(events: readonly StreamedEvent[]): Promise<void> {
    const { url, secretFile } = this.#target;
    // Read each time, so that a new secret needs no restart.
    const secret = readWebhookSecret(secretFile);
    const [first, last] = [events[0]?.index ?? 0, events.at(-1)?.index ?? 0];
    await postWebhook(
      { url, secret },
      {
        id: `audit-${first}-${last}`,
        at: Math.floor(this.#clock() / 1000),
        body: { type: "audit-events", events },
      },
    );
  }

  async close(): Promise<void> {}
}
