import { SallyportError } from "@sallyport/core/errors.ts";
import { answerRequest } from "../../approvals/answer-request.ts";
import {
  isTrustedResponseUrl,
  readSlackPress,
  type SlackPress,
  slackAnswerer,
  slackRefusal,
} from "../../approvals/slack-answer.ts";
import { slackOutcome } from "../../approvals/slack-message.ts";
import { checkSlackSignature } from "../../approvals/slack-signature.ts";
import { viewRequests } from "../../approvals/views.ts";
import type { ApprovalRequestsTable } from "../../database/tables.ts";
import { newId, seconds } from "../../environment.ts";
import { errorFields } from "../../log.ts";
import { postWebhook, readWebhookSecret } from "../../outgoing/webhook.ts";
import type { Api } from "../api.ts";
import { limitedText } from "../json-body.ts";
import type { Services } from "../services.ts";

const MAX_BODY = 64 * 1024;

/** Where Slack posts the press of a button in one of our messages. Code `not-found` where that is not configured. */
export function slackRoute(api: Api, services: Services): void {
  const secret = readWebhookSecret(services.config.approvals.slackSigningSecretFile);
  api.add(
    {
      method: "post",
      path: "/approvals/slack",
      access: "public",
      limited: true,
      summary: "An answer by a button in Slack, signed by the Slack app; a form with `payload`",
      answer: { status: 204, description: "The answer was taken." },
      errors: ["unauthenticated", "forbidden", "not-found", "conflict"],
    },
    async ({ context }) => {
      if (secret === undefined) throw new SallyportError("not-found", "No Slack app is configured here.");
      const body = await limitedText(context, MAX_BODY);
      const timestamp = context.req.header("x-slack-request-timestamp");
      const signature = context.req.header("x-slack-signature");
      await checkSlackSignature(services, secret, { timestamp, signature, body });
      const press = readSlackPress(body);
      try {
        const by = await slackAnswerer(services, press.user);
        const { decision, version } = press;
        // A no lets nobody in, whatever has changed.
        const answer = { decision, note: "", ...(decision === "approve" && { ifVersion: version }) };
        const { request, granted } = await answerRequest(services, press.request, by, answer);
        // Slack waits 3 s at most: hosts are not waited for.
        if (granted) void services.hosts.publishBundles().catch((error: unknown) => notSaid(services, error));
        void respond(services, press, await outcomeOf(services, request));
      } catch (error) {
        void respond(services, press, slackRefusal(error));
        throw error;
      }
    },
  );
}

async function outcomeOf({ db, environment }: Services, request: ApprovalRequestsTable) {
  const [view] = await viewRequests(db, [request], seconds(environment.clock));
  return view && slackOutcome(view);
}

/** Puts the outcome into the message's place, or tells the person who pressed; nothing hangs on it. */
async function respond(
  { config, environment }: Services,
  { responseUrl }: SlackPress,
  body: Record<string, unknown> | undefined,
): Promise<void> {
  const { webhook } = config.approvals;
  if (webhook === null || responseUrl === undefined || body === undefined) return;
  if (!isTrustedResponseUrl(responseUrl, webhook.url)) return;
  const message = { id: newId(environment, "evt"), at: seconds(environment.clock), body };
  await postWebhook({ url: responseUrl, secret: undefined }, message).catch((error: unknown) =>
    notSaid({ environment }, error),
  );
}

/** The answer is stored: what did not hear of it hears of it later, or is not needed. */
function notSaid({ environment }: Pick<Services, "environment">, error: unknown): void {
  environment.log.warn("the outcome of a request was not passed on", errorFields(error));
}
