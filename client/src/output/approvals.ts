import type { ApprovalOutcome, ApprovalView } from "@sallyport/core/messages/approvals.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Engagement } from "../api/control-plane.ts";
import { isoTime } from "./json.ts";
import { table } from "./table.ts";
import { fromNow, localTime } from "./time.ts";

/** Requests as a table; empty when there are none. */
export function approvalTable(requests: readonly ApprovalView[], now: number, columns?: number): string {
  if (requests.length === 0) return "";
  return table(
    ["ID", "ASKED", "ENGAGEMENT", "FOR", "STATE", "", "TICKET", "REASON"],
    requests.map((each) => [
      each.id,
      localTime(each.requestedAt),
      each.engagement.name,
      whoFor(each),
      each.state,
      whenOf(each, now),
      each.ticket ?? "",
      each.reason,
    ]),
    columns,
  );
}

/** One request, in full. */
export function approvalText(request: ApprovalView, now: number): string {
  const { requestedBy, automatic, answers, approvers, state } = request;
  const said = answers.map(
    ({ by, decision, note, at }) =>
      `${decision === "approve" ? "Approved" : "Denied"}    ${localTime(at)} by ${by}${note === "" ? "" : `: ${note}`}`,
  );
  const lines = [
    `Request     ${request.id}`,
    `Engagement  ${request.engagement.name} (version ${request.engagement.version})`,
    `For         ${whoFor(request)}`,
    `State       ${state}${whenOf(request, now) === "" ? "" : ` (${whenOf(request, now)})`}`,
    `Asked       ${localTime(request.requestedAt)}${requestedBy === null ? "" : ` by ${requestedBy}`}${automatic ? ", by a login that was refused" : ""}`,
    ...(request.reason === "" ? [] : [`Reason      ${request.reason}`]),
    ...(request.ticket === null ? [] : [`Ticket      ${request.ticket}`]),
    ...(approvers === 1 ? [] : [`Takes       ${approvers} people`]),
    ...said,
  ];
  return `${lines.map((line) => printable(line, 2000)).join("\n")}\n`;
}

/** One line that says what a yes lets in, and for which version of the engagement it counts. */
export function approvalSummary(request: ApprovalView, { accounts, hosts, end }: Engagement): string {
  const { name, version } = request.engagement;
  const reason = request.reason === "" ? "" : `; asked because: ${request.reason}`;
  const line = `${whoFor(request)} by ${name}, version ${version}: ${accounts.join(", ")} on ${hosts.join(", ") || "no host yet"}, at most until ${localTime(end)}${reason}`;
  return `${printable(line, 2000)}\n`;
}

/** Says that a member is still let in after one approval was withdrawn; empty where they are not. */
export function stillApprovedText(request: ApprovalView, others: ApprovalOutcome["stillApproved"]): string {
  return others
    .map(
      ({ id, until }) =>
        `STILL APPROVED: ${printable(whoFor(request), 200)} until ${localTime(until)} by another request. To take that back too: sallyport approvals withdraw ${printable(id)}\n`,
    )
    .join("");
}

/** A sentence about what became of a request, and what to do. */
export function approvalNews(request: ApprovalView, now: number): string {
  const { state, engagement, id } = request;
  const name = printable(engagement.name, 64);
  const last = request.answers.at(-1);
  const by = last === undefined ? "" : ` by ${printable(last.by, 200)}`;
  const note = last === undefined || last.note === "" ? "" : `: ${printable(last.note)}`;
  switch (state) {
    case "pending":
      return `Your request ${printable(id)} for ${name} waits for an answer until ${localTime(request.expires)} (${fromNow(request.expires, now)}).`;
    case "approved":
      return request.until === null
        ? `${name} is approved. Log in again with ssh.`
        : request.until > now
          ? `${name} is approved${by} until ${localTime(request.until)} (${fromNow(request.until, now)}). Log in again with ssh.`
          : `What was approved for ${name} ended ${localTime(request.until)}. Ask again: sallyport request ${name} --reason …`;
    case "denied":
      return `The request for ${name} was denied${by}${note}.`;
    case "withdrawn":
      return `The approval for ${name} was withdrawn.`;
    case "cancelled":
      return `The request for ${name} was given up.`;
    case "expired":
      return `Nobody answered the request for ${name} in time. Ask again: sallyport request ${name} --reason …`;
  }
}

/** For `--json`: times as ISO 8601. */
export function approvalJson(request: ApprovalView): unknown {
  const answers = request.answers.map((answer) => ({ ...answer, at: isoTime(answer.at) }));
  const { requestedAt, expires, until } = request;
  return {
    ...request,
    requestedAt: isoTime(requestedAt),
    expires: isoTime(expires),
    until: isoTime(until),
    answers,
  };
}

function whoFor({ member }: ApprovalView): string {
  return member === null ? "all members" : (member.email ?? member.name);
}

function whenOf({ state, until, expires }: ApprovalView, now: number): string {
  if (state === "pending") return `to be answered ${fromNow(expires, now)}`;
  if (state !== "approved" || until === null) return "";
  return until > now ? `until ${localTime(until)}` : `ended ${localTime(until)}`;
}
