import type { ApprovalView } from "@sallyport/core/messages/approvals.ts";
import { minuteOf } from "@sallyport/core/policy/told.ts";
import { printable } from "@sallyport/core/terminal-text.ts";

/** Ids of the two buttons; their value is the request's id, and after a colon the engagement's version. */
export const SLACK_ACTIONS = { approve: "sallyport-approve", deny: "sallyport-deny" } as const;

/**
 * The message about a new request, as Slack takes it. What a contractor wrote stands in `plain_text` only, where it mentions
 * nobody and links to nothing; in `text`, which Slack reads as markup, it does not stand at all.
 */
export function slackMessage(request: ApprovalView, options: { buttons: boolean }): Record<string, unknown> {
  const lines = [
    `Who: ${whoIn(request)}`,
    `Version: ${request.engagement.version} of the engagement; an approval is for this one`,
    `Reason: ${printable(request.reason)}`,
    ...(request.ticket === null ? [] : [`Ticket: ${printable(request.ticket, 100)}`]),
    `Takes ${request.approvers === 1 ? "one approval" : `${request.approvers} approvals`}, until ${minuteOf(request.expires)}`,
  ];
  const title = `Approval asked for: engagement ${request.engagement.name}`;
  return {
    text: `${title} (${request.id})`,
    blocks: [
      { type: "section", text: plain(title) },
      { type: "section", text: plain(lines.join("\n")) },
      { type: "context", elements: [plain(`sallyport approvals show ${request.id}`)] },
      ...(options.buttons ? [{ type: "actions", block_id: request.id, elements: buttons(request) }] : []),
    ],
  };
}

/** What stands in the message's place once somebody has answered. */
export function slackOutcome(request: ApprovalView): Record<string, unknown> {
  const answers = request.answers.map(
    ({ by, decision }) => `${decision === "approve" ? "approved" : "denied"} by ${by}`,
  );
  const lines = [
    `Engagement ${request.engagement.name}: ${request.state}`,
    `Who: ${whoIn(request)}`,
    `Reason: ${printable(request.reason)}`,
    ...answers,
  ];
  const open = request.state === "pending";
  return {
    replace_original: true,
    text: `Engagement ${request.engagement.name}: ${request.state} (${request.id})`,
    blocks: [
      { type: "section", text: plain(lines.join("\n")) },
      ...(open ? [{ type: "actions", block_id: request.id, elements: buttons(request) }] : []),
    ],
  };
}

function whoIn({ member, requestedBy }: ApprovalView): string {
  if (member === null) return `all members (asked for by ${printable(requestedBy ?? "somebody", 200)})`;
  return printable(member.email === null ? member.name : `${member.name} <${member.email}>`, 300);
}

function buttons({ id, engagement }: ApprovalView): unknown[] {
  const value = `${id}:${engagement.version}`;
  return [
    { type: "button", action_id: SLACK_ACTIONS.approve, style: "primary", text: plain("Approve"), value },
    { type: "button", action_id: SLACK_ACTIONS.deny, style: "danger", text: plain("Deny"), value },
  ];
}

function plain(text: string): { type: "plain_text"; text: string; emoji: boolean } {
  return { type: "plain_text", text: text.slice(0, 2900), emoji: false };
}
