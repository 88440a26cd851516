import { z } from "zod";
import { WebhookTarget } from "../outgoing/webhook.ts";

const DAY = 86_400;

/** How requests for approval reach people, and for how long. */
export const ApprovalsConfiguration = z.strictObject({
  requestLifetime: z
    .int()
    .min(300)
    .max(30 * DAY)
    .default(DAY)
    .describe("Seconds for which a request can be answered."),
  webhook: WebhookTarget.nullable()
    .default(null)
    .describe(
      "Where each new request is announced, as a message in Slack's form (an incoming webhook of Slack will do); null: nowhere.",
    ),
  slackSigningSecretFile: z
    .string()
    .startsWith("/", "must be an absolute path")
    .nullable()
    .default(null)
    .describe(
      "File with the signing secret of the Slack app whose interactivity points to /api/v1/approvals/slack; null: the message " +
        "has no buttons and nothing is taken from Slack. Danger: who has it can answer for everybody under `slackUsers`.",
    ),
  slackUsers: z
    .record(
      z.string().regex(/^[UW][A-Z0-9]{2,30}$/, "a Slack user id is U or W with capitals and digits"),
      z.email().transform((email) => email.toLowerCase()),
    )
    .default({})
    .describe(
      "Whose button counts as whose: Slack user ids with the e-mail of somebody under `staff` who has signed in here before.",
    ),
});
