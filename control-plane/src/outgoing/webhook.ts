import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { z } from "zod";
import { isSafeUrl } from "../config/loopback.ts";

const TIMEOUT_MS = 10_000;
const MIN_SECRET = 24;

/** Where messages of one kind go, as the configuration has it. */
export const WebhookTarget = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .refine(isSafeUrl, "plain HTTP is for this machine only: use https")
    .describe("Where messages are posted, as JSON. Only https, or http on this machine."),
  secretFile: z
    .string()
    .startsWith("/", "must be an absolute path")
    .nullable()
    .default(null)
    .describe(
      "File with the secret that messages are signed with (Standard Webhooks: `webhook-signature`), at least 24 bytes; null: " +
        "not signed. Danger: without it the receiver cannot tell who sent a message.",
    ),
});
export type WebhookTarget = z.infer<typeof WebhookTarget>;

/** One message. `id` is the same however often it is sent; `at` in seconds. */
export interface WebhookMessage {
  id: string;
  at: number;
  body: unknown;
}

/**
 * Posts a message once. Headers are those of Standard Webhooks: `webhook-id`, `webhook-timestamp`, and with a secret
 * `webhook-signature`. Any answer of 200 to 299 counts as delivered; all else is a `delivery-failed` that says what the
 * receiver answered, never what was sent.
 */
export async function postWebhook(
  target: { url: string; secret: Uint8Array | undefined },
  message: WebhookMessage,
): Promise<void> {
  const body = JSON.stringify(message.body);
  const where = new URL(target.url).host;
  const response = await fetch(target.url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": message.id,
      "webhook-timestamp": String(message.at),
      ...(target.secret && { "webhook-signature": webhookSignature(target.secret, message, body) }),
    },
    body,
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: unknown) => {
    throw new SallyportError("delivery-failed", `The webhook at ${where} cannot be reached.`, { cause });
  });
  await response.body?.cancel();
  if (!response.ok)
    throw new SallyportError("delivery-failed", `The webhook at ${where} answered ${response.status}.`);
}

/** The secret in a file, without the line's end; undefined where no file is named. Code `config-invalid`. */
export function readWebhookSecret(file: string | null): Uint8Array | undefined {
  if (file === null) return undefined;
  let secret: Buffer;
  try {
    secret = Buffer.from(readFileSync(file, "utf8").trimEnd());
  } catch (cause) {
    throw new SallyportError("config-invalid", `The webhook's secret in ${file} cannot be read.`, { cause });
  }
  if (secret.length >= MIN_SECRET) return secret;
  throw new SallyportError(
    "config-invalid",
    `The webhook's secret in ${file} has ${secret.length} bytes; it needs ${MIN_SECRET} or more.`,
  );
}

/** The signature of a message (Standard Webhooks, symmetric): `v1,` and the base64 of HMAC-SHA256 over id, time and body. */
export function webhookSignature(
  secret: Uint8Array,
  { id, at }: Pick<WebhookMessage, "id" | "at">,
  body: string,
): string {
  return `v1,${createHmac("sha256", secret).update(`${id}.${at}.${body}`).digest("base64")}`;
}
