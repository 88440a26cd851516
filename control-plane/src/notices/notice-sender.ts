import { isSallyportError } from "@sallyport/core/errors.ts";
import { audit } from "../audit/audit.ts";
import { closeNotice, dropOldNotices, dueNotices, takeNotice } from "../database/notices.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database, NoticesTable } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { errorFields } from "../log.ts";
import { postWebhook, readWebhookSecret } from "../outgoing/webhook.ts";
import { queueEndNotices } from "./end-notices.ts";
import { sendMail } from "./mailer.ts";
import type { NoticesConfiguration } from "./notices-configuration.ts";

const EVERY_MS = 30_000;
const AT_ONCE = 100;
/** Seconds for one attempt: no longer than connection, greeting and answer may take together. */
const ATTEMPT = 60;
const LONGEST_WAIT = 6 * 3600;
/** Seconds for which it is tried. */
const GIVE_UP = 4 * 86_400;
/** Seconds for which it is known that a notice was sent: longer than a threshold before an end may be. */
const REMEMBERED = 400 * 86_400;

interface Needs {
  db: Database;
  environment: Environment;
  config: NoticesConfiguration;
  /** URL of this server. */
  url: string;
}

/**
 * Sends what is in the outbox, and puts in what is due before engagements end. At least once: a crash after sending and
 * before noting it sends again, with the same id. Between attempts it waits 1, 2, 4… minutes, up to 6 hours.
 */
export class NoticeSender {
  readonly #needs: Needs;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  /** Runs now, and every 30 s. */
  start(): void {
    const { log } = this.#needs.environment;
    const run = () => {
      this.run().catch((error: unknown) => log.error("notices not sent", errorFields(error)));
    };
    this.#timer = setInterval(run, EVERY_MS);
    this.#timer.unref();
    run();
  }

  /** Finishes the attempt that is being made, and begins no other. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running?.catch(() => {});
  }

  /** Queues and sends what is due now; one run at a time. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const { db, environment, config } = this.#needs;
    await queueEndNotices(db, environment, config.before);
    const now = seconds(environment.clock);
    for (const notice of await dueNotices(db, now, AT_ONCE)) {
      if (this.#stopped) return;
      await this.#attempt(notice);
    }
    await dropOldNotices(db, now - REMEMBERED);
  }

  async #attempt(notice: NoticesTable): Promise<void> {
    const { db, environment } = this.#needs;
    const now = seconds(environment.clock);
    const wait = Math.min(60 * 2 ** Math.min(notice.attempts, 20), LONGEST_WAIT);
    if (!(await takeNotice(db, notice, now + ATTEMPT + wait))) return;
    if (!this.#isConfigured(notice.channel)) return this.#close(notice, "not configured");
    if (notice.good_until <= now) return this.#close(notice, "no longer of use");
    try {
      await this.#send(notice);
    } catch (error) {
      environment.log.warn("notice not sent", {
        notice: notice.id,
        kind: notice.kind,
        ...errorFields(error),
      });
      const isLast = now - notice.created_at >= GIVE_UP || isRefusedForGood(error);
      return isLast ? this.#close(notice, "given up") : undefined;
    }
    return this.#close(notice, "sent");
  }

  async #send(notice: NoticesTable): Promise<void> {
    const { config, environment, url } = this.#needs;
    const text = notice.text.replaceAll("{server}", url);
    if (notice.channel === "mail" && config.smtp !== null) {
      const { id, recipient: to, subject } = notice;
      await sendMail(config.smtp, { id, to, subject, text });
    }
    if (notice.channel === "webhook" && config.webhook !== null) {
      const secret = readWebhookSecret(config.webhook.secretFile);
      const { kind: type, subject } = notice;
      const body = { type, subject, text, data: JSON.parse(notice.data_json) };
      const at = seconds(environment.clock);
      await postWebhook({ url: config.webhook.url, secret }, { id: notice.id, at, body });
    }
  }

  #isConfigured(channel: string): boolean {
    const { smtp, webhook } = this.#needs.config;
    return (channel === "mail" ? smtp : webhook) !== null;
  }

  async #close(notice: NoticesTable, outcome: string): Promise<void> {
    const { db, environment } = this.#needs;
    const { id, kind, about, channel, recipient } = notice;
    await inTransaction(db, async (transaction) => {
      if (!(await closeNotice(transaction, id, seconds(environment.clock), outcome))) return;
      if (outcome === "not configured") return;
      await audit(transaction, environment, {
        type: outcome === "sent" ? "notice-sent" : "notice-not-sent",
        actor: "notices",
        data: { id, kind, about, channel, recipient, ...(outcome === "sent" ? {} : { outcome }) },
      });
    });
  }
}

/** The mail server says that there is no such recipient, and will say so again: SMTP 550 and its like. */
function isRefusedForGood(error: unknown): boolean {
  if (!isSallyportError(error, "delivery-failed")) return false;
  const { code, responseCode } = (error.cause ?? {}) as { code?: unknown; responseCode?: unknown };
  return code === "EENVELOPE" && typeof responseCode === "number" && responseCode >= 500;
}
