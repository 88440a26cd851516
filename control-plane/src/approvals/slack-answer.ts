import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { ApprovalAnswer } from "@sallyport/core/messages/approvals.ts";
import { Id } from "@sallyport/core/names.ts";
import { z } from "zod";
import type { Database } from "../database/tables.ts";
import { staffOf } from "../http/caller.ts";
import type { Answerer } from "./answer-request.ts";
import type { AnswerNeeds } from "./needs.ts";
import { SLACK_ACTIONS } from "./slack-message.ts";

/** A button's value: id and version. */
const Value = z
  .string()
  .max(64)
  .transform((text) => text.split(":"))
  .pipe(
    z.tuple([
      Id,
      z
        .string()
        .regex(/^\d{1,9}$/)
        .transform(Number),
    ]),
  );

/** What is read of a `block_actions` payload (https://docs.slack.dev/reference/interaction-payloads/block_actions-payload). */
const Payload = z.object({
  type: z.literal("block_actions"),
  user: z.object({ id: z.string().max(64) }),
  actions: z
    .array(z.object({ action_id: z.enum([SLACK_ACTIONS.approve, SLACK_ACTIONS.deny]), value: Value }))
    .length(1),
  response_url: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .optional(),
});

/** A press of one of our buttons. */
export interface SlackPress {
  user: string;
  request: string;
  /** Of the engagement, which the message was about. */
  version: number;
  decision: ApprovalAnswer["decision"];
  /** Where Slack takes what is to stand in the message's place. */
  responseUrl: string | undefined;
}

/** Reads the form that Slack posts. Code `message-malformed`. */
export function readSlackPress(body: string): SlackPress {
  let json: unknown;
  try {
    json = JSON.parse(new URLSearchParams(body).get("payload") ?? "");
  } catch (cause) {
    throw new SallyportError("message-malformed", "The form has no JSON in `payload`.", { cause });
  }
  const parsed = Payload.safeParse(json);
  const action = parsed.data?.actions[0];
  if (!parsed.success || action === undefined)
    throw new SallyportError("message-malformed", "The payload is no press of a button of ours.");
  return {
    user: parsed.data.user.id,
    request: action.value[0],
    version: action.value[1],
    decision: action.action_id === SLACK_ACTIONS.approve ? "approve" : "deny",
    responseUrl: parsed.data.response_url,
  };
}

/**
 * The member of staff that a Slack user is by configuration, as the identity that is pinned to their e-mail. Code `forbidden`
 * for a user who is not listed, who has never signed in here, or who is not staff any more.
 */
export async function slackAnswerer(needs: AnswerNeeds, user: string): Promise<Answerer> {
  const { slackUsers } = needs.config.approvals;
  const email = Object.hasOwn(slackUsers, user) ? slackUsers[user] : undefined;
  if (email === undefined) throw forbidden("Your Slack user is not known to Sallyport.");
  for (const { issuer, subject } of await identitiesOf(needs.db, email)) {
    const staff = await staffOf({ ...needs, clock: needs.environment.clock }, { issuer, subject });
    if (staff.roles.length > 0) return { issuer, subject, email, name: email };
  }
  throw forbidden("Sign in to Sallyport once with `sallyport login`, then press again.");
}

/** Where to answer a press: only where messages go anyway, so that no payload makes us call somebody else. */
export function isTrustedResponseUrl(url: string, webhook: string): boolean {
  return new URL(url).origin === new URL(webhook).origin;
}

/** What the person who pressed is told when it did not work; undefined for what is our own fault. */
export function slackRefusal(error: unknown): Record<string, unknown> | undefined {
  if (!isSallyportError(error)) return undefined;
  const block = {
    type: "section",
    text: { type: "plain_text", text: error.message.slice(0, 2900), emoji: false },
  };
  return { response_type: "ephemeral", replace_original: false, text: "That did not work.", blocks: [block] };
}

async function identitiesOf(db: Database, email: string) {
  return db
    .selectFrom("staff_identities")
    .select(["issuer", "subject"])
    .where("email", "=", email)
    .orderBy("issuer")
    .execute();
}

function forbidden(message: string): SallyportError {
  return new SallyportError("forbidden", message);
}
