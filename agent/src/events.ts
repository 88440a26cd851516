import { randomBytes } from "node:crypto";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { makeId } from "@sallyport/core/names.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Answer } from "./logins/decide.ts";
import type { Login } from "./logins/login.ts";
import type { LiveSession } from "./recorders/control-messages.ts";

const NOTHING = {
  account: null,
  sourceAddress: null,
  certificateSerial: null,
  memberId: null,
  issuer: null,
  subject: null,
  engagementId: null,
  sessionId: null,
  code: null,
  detail: "",
  told: null,
} satisfies Partial<HostEvent>;

function event(type: HostEvent["type"], fields: Partial<HostEvent>): HostEvent {
  const at = Date.now();
  return { ...NOTHING, ...fields, id: makeId("evt", at, randomBytes(10)), at, type };
}

/** The event of a decision on a login; the answer says what the log may know, the contractor was told less. */
export function loginEvent(login: Login, answer: Answer): HostEvent {
  const common = {
    account: login.account,
    sourceAddress: login.sourceAddress,
    certificateSerial: login.identity?.certificateSerial ?? null,
    issuer: login.identity?.token.issuer ?? null,
    subject: login.identity?.token.subject ?? null,
  };
  if (answer.outcome === "admit") {
    return event("login-admitted", {
      ...common,
      memberId: answer.member.id,
      engagementId: answer.engagement.id,
      detail: login.identity?.assurance === "brokered" ? "assurance brokered" : "",
    });
  }
  const { code, detail, told } = answer.refusal;
  return event("login-refused", {
    ...common,
    memberId: answer.member?.id ?? null,
    engagementId: answer.engagement?.id ?? null,
    code,
    detail: printable(detail, 1900),
    told,
  });
}

/** The event of a session that the policy ended. */
export function sessionEndedEvent(live: LiveSession, code: string, detail: string, told: string): HostEvent {
  const { start } = live;
  return event("session-ended-by-policy", {
    account: start.account,
    sourceAddress: start.login.sourceAddress,
    certificateSerial: start.login.certificateSerial,
    memberId: start.member.id,
    issuer: start.member.issuer,
    subject: start.member.subject,
    engagementId: start.engagement.id,
    sessionId: live.session,
    code,
    detail: printable(detail, 1900),
    told,
  });
}

/** Most letters of a detail: with the rest the event fits its schema. */
const MAX_DETAIL = 1900;

/** What happened in a session, for the audit log; null for what only its recording tells of. */
export function sessionEvent(live: LiveSession, happened: SessionEvent): HostEvent | null {
  switch (happened.type) {
    case "command-started": {
      const { line, rules, confined } = happened;
      return ofSession("command-started", live, null, `${confined}, ${rules.join(" | ")}: ${line}`);
    }
    case "command-ended":
      return null;
    case "command-refused":
      return ofSession("command-refused", live, happened.code, `${happened.line}: ${happened.detail}`);
    case "file": {
      const { protocol, operation, result, path, target, detail } = happened;
      // What was looked at and could not be found moved nothing, and nobody refused it.
      if (operation === "list" && result !== "refused") return null;
      // Names are quoted: none of them can look like what we say of another.
      const names = [path, ...(target === null ? [] : [target])].map((name) => JSON.stringify(name));
      const size = happened.bytes === null ? "" : `, ${happened.bytes} bytes`;
      const hash = happened.sha256 === null ? "" : `, sha256 ${happened.sha256}`;
      const why = result === "ok" || detail === "" ? "" : `: ${detail}`;
      const text = `${protocol} ${operation}${size}${hash}: ${names.join(" to ")}${why}`;
      const isMoved = result === "ok";
      return ofSession(isMoved ? "file-moved" : "file-refused", live, isMoved ? null : result, text);
    }
  }
}

/** So many events of a session were left out of the audit log; its recording has them. */
export function leftOutEvent(live: LiveSession, count: number, type: HostEvent["type"]): HostEvent {
  const detail = `${count} more in a minute are left out here; the recording has them`;
  return ofSession(type, live, "left-out", detail);
}

function ofSession(
  type: HostEvent["type"],
  { session, start }: LiveSession,
  code: string | null,
  detail: string,
): HostEvent {
  return event(type, {
    account: start.account,
    sourceAddress: start.login.sourceAddress,
    certificateSerial: start.login.certificateSerial,
    memberId: start.member.id,
    issuer: start.member.issuer,
    subject: start.member.subject,
    engagementId: start.engagement.id,
    sessionId: session,
    code: code === null ? null : printable(code, 64),
    detail: printable(detail, MAX_DETAIL),
  });
}

/** Something that an operator should know. */
export function troubleEvent(
  type: "recording-recovered" | "recording-damaged" | "local-policy-changed" | "trouble",
  sessionId: string | null,
  code: string,
  detail: string,
): HostEvent {
  return event(type, { sessionId, code, detail: printable(detail, 1900) });
}

/** Something that happened to a login: processes killed, a forwarded connection, an account made. */
export function loginIncident(
  type: Extract<
    HostEvent["type"],
    "watchdog-killed" | "left-behind-ended" | "forward-opened" | "forward-closed"
  >,
  login: Login,
  detail: string,
): HostEvent {
  return event(type, {
    account: login.account,
    sourceAddress: login.sourceAddress,
    certificateSerial: login.identity?.certificateSerial ?? null,
    memberId: login.admitted?.memberId ?? null,
    issuer: login.identity?.token.issuer ?? null,
    subject: login.identity?.token.subject ?? null,
    engagementId: login.admitted?.engagementId ?? null,
    detail: printable(detail, 1900),
  });
}

/** What became of a member's own account; `code` where it is trouble. */
export function accountEvent(
  type: "account-created" | "account-locked" | "account-removed" | "left-behind-ended" | "trouble",
  account: string,
  memberId: string,
  detail: string,
  code?: string,
): HostEvent {
  const of = { account: account || null, memberId: memberId || null };
  return event(type, { ...of, code: code ?? null, detail: printable(detail, 1900) });
}
