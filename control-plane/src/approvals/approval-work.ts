import { claimMessage, dueMessages, removeMessage } from "../database/approval-messages.ts";
import { requestById } from "../database/approval-requests.ts";
import type { ApprovalMessagesTable, Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { errorFields } from "../log.ts";
import { postWebhook, readWebhookSecret } from "../outgoing/webhook.ts";
import { expireRequests } from "./expire-requests.ts";
import type { RequestNeeds } from "./needs.ts";
import { slackMessage } from "./slack-message.ts";
import { stateOf, viewRequests } from "./views.ts";

const EVERY_MS = 2000;
const AT_ONCE = 20;
/** While one replica sends a message, the others leave it alone; more than a webhook may take. */
const CLAIM = 60;
const LONGEST_PAUSE = 600;

interface Needs extends Pick<RequestNeeds, "config"> {
  db: Database;
  environment: Environment;
}

/**
 * What has to be done about requests without being asked: the webhook is told of new ones, at least once each, with longer and
 * longer pauses while it does not take them; and those whose time is over are noted.
 */
export class ApprovalWork {
  readonly #needs: Needs;
  readonly #target: { url: string; secret: Uint8Array | undefined } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  /** Reads the webhook's secret. Code `config-invalid`. */
  constructor(needs: Needs) {
    this.#needs = needs;
    const { webhook } = needs.config.approvals;
    this.#target =
      webhook === null ? undefined : { url: webhook.url, secret: readWebhookSecret(webhook.secretFile) };
  }

  start(): void {
    const again = (): void => {
      this.#timer = setTimeout(() => {
        this.#working = this.work().finally(() => {
          if (this.#timer !== undefined) again();
        });
      }, EVERY_MS);
    };
    again();
  }

  /** Resolves when nothing of it runs any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#working;
  }

  /** One round; never rejects. */
  async work(): Promise<void> {
    const { db, environment } = this.#needs;
    try {
      await expireRequests(this.#needs);
      if (this.#target === undefined) return;
      const due = await dueMessages(db, seconds(environment.clock), AT_ONCE);
      await Promise.all(due.map((message) => this.#send(message)));
    } catch (error) {
      environment.log.error("requests for approval cannot be looked after", errorFields(error));
    }
  }

  async #send(message: ApprovalMessagesTable): Promise<void> {
    const { db, environment, config } = this.#needs;
    const now = seconds(environment.clock);
    if (this.#target === undefined || !(await claimMessage(db, message, now + CLAIM))) return;
    const request = await requestById(db, message.request_id);
    const [view] = request === undefined ? [] : await viewRequests(db, [request], now);
    // Nobody needs to hear of a request that is answered by now.
    if (request === undefined || view === undefined || stateOf(request, now) !== "pending")
      return removeMessage(db, message.request_id);
    try {
      const body = slackMessage(view, { buttons: config.approvals.slackSigningSecretFile !== null });
      await postWebhook(this.#target, { id: view.id, at: now, body });
    } catch (error) {
      const attempts = message.attempts + 1;
      const pause = Math.min(2 ** attempts, LONGEST_PAUSE);
      environment.log.warn("a request for approval is not announced yet", {
        request: view.id,
        attempts,
        ...errorFields(error),
      });
      await claimMessage(db, { ...message, attempts }, now + pause);
      return;
    }
    await removeMessage(db, message.request_id);
  }
}
