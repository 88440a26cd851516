import { Email } from "@sallyport/core/names.ts";
import { addNotices } from "../database/notices.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";

/** Something that people are told. */
export interface Notice {
  /** What it says: a notice of the same kind, key and recipient is sent once. */
  key: string;
  /** What the occasion is called in the webhook and the audit log: `engagement-ends`. */
  kind: string;
  /** Id of what it is about. */
  about: string;
  /** E-mail addresses. What is no address is left out. */
  to: readonly string[];
  /** One line. */
  subject: string;
  /** Plain text. `{server}` stands for the URL of this server. */
  text: string;
  /** What the webhook gets beside kind, subject and text. */
  data: Record<string, unknown>;
  /** After this time, in seconds, it is not sent any more. */
  goodUntil: number;
}

/**
 * Puts a notice into the outbox: by e-mail to each recipient, and once to the webhook. Call it in the transaction of what
 * it tells of. It is sent at least once as far as mail and webhook are configured; see {@link NoticeSender}.
 */
export async function queueNotice(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  notice: Notice,
): Promise<void> {
  const { kind, about, subject, text } = notice;
  const recipients = new Set(notice.to.flatMap((address) => Email.safeParse(address).data ?? []));
  const common = {
    ...{ kind, about, subject, text },
    data_json: JSON.stringify(notice.data),
    created_at: seconds(environment.clock),
    good_until: notice.goodUntil,
  };
  const row = (channel: "mail" | "webhook", recipient: string) => ({
    ...common,
    id: newId(environment, "ntc"),
    key: [kind, notice.key, channel, recipient].join("/"),
    channel,
    recipient,
  });
  await addNotices(db, [...[...recipients].map((recipient) => row("mail", recipient)), row("webhook", "")]);
}
