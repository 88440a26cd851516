import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { SallyportError } from "@sallyport/core/errors.ts";
import { useToken } from "../database/one-time-values.ts";
import type { Database } from "../database/tables.ts";
import { seconds } from "../environment.ts";
import type { RequestNeeds } from "./needs.ts";

/** Oldest request taken, in seconds; also how far its clock may be ahead. */
const WINDOW = 300;

/** A request as Slack signs it: the two headers, and the body as it came. */
export interface SignedRequest {
  timestamp: string | undefined;
  signature: string | undefined;
  body: string;
}

/**
 * Lets a request on that Slack signed (https://docs.slack.dev/authentication/verifying-requests-from-slack): `v0=` and the
 * HMAC-SHA256 of `v0:{timestamp}:{body}` in hex, within five minutes, and only once. Code `unauthenticated`, without saying which
 * of these it was.
 */
export async function checkSlackSignature(
  { db, environment }: Pick<RequestNeeds, "environment"> & { db: Database },
  secret: Uint8Array,
  { timestamp = "", signature = "", body }: SignedRequest,
): Promise<void> {
  const now = seconds(environment.clock);
  const isTime = /^[0-9]{1,12}$/.test(timestamp) && Math.abs(now - Number(timestamp)) <= WINDOW;
  const right = Buffer.from(slackSignature(secret, timestamp, body));
  const given = Buffer.from(signature);
  const isRight = given.length === right.length && timingSafeEqual(given, right);
  if (!isTime || !isRight) throw unauthenticated();
  const hash = createHash("sha256").update(`slack ${signature}`).digest("hex");
  // Longer than the window, by a clock that may be ahead.
  if (!(await useToken(db, hash, Number(timestamp) + 2 * WINDOW, now))) throw unauthenticated();
}

/** The signature of a request, as Slack makes it. */
export function slackSignature(secret: Uint8Array, timestamp: string, body: string): string {
  return `v0=${createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex")}`;
}

function unauthenticated(): SallyportError {
  return new SallyportError(
    "unauthenticated",
    "This is not signed by the Slack app, too old, or was sent before.",
  );
}
