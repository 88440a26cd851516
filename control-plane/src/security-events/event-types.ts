import type { IdentityNotice } from "../revocations/identity-notice.ts";
import { SetError } from "./set-error.ts";

const CAEP = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF = "https://schemas.openid.net/secevent/ssf/event-type/";
/** What SSF was called before 1.0. */
const SSE = "https://schemas.openid.net/secevent/sse/event-type/";

/** What an event comes to: something for the person, a question to the IdP, a word about the stream, or only a line in the log. */
export type EventMeaning = IdentityNotice["effect"] | "ask" | "log" | "verification" | "stream-updated";

type Event = Record<string, unknown>;

/** One type of event, as people read it, and what it comes to. */
interface EventType {
  name: string;
  meaning(event: Event): EventMeaning;
}

const TYPES: Record<string, EventType> = {
  [`${CAEP}session-revoked`]: { name: "CAEP session-revoked", meaning: () => "end-sessions" },
  [`${CAEP}credential-change`]: {
    name: "CAEP credential-change",
    meaning: ({ change_type }) =>
      oneOf(change_type, {
        create: "log",
        update: "end-sessions",
        revoke: "end-sessions",
        delete: "end-sessions",
      }),
  },
  [`${CAEP}assurance-level-change`]: {
    name: "CAEP assurance-level-change",
    // The direction may be left out; then it may have been down.
    meaning: ({ change_direction }) =>
      change_direction === undefined
        ? "end-sessions"
        : oneOf(change_direction, { increase: "log", decrease: "end-sessions" }),
  },
  [`${CAEP}device-compliance-change`]: {
    name: "CAEP device-compliance-change",
    meaning: ({ current_status }) =>
      oneOf(current_status, { compliant: "log", "not-compliant": "end-sessions" }),
  },
  [`${RISC}account-disabled`]: { name: "RISC account-disabled", meaning: () => "disable" },
  [`${RISC}account-purged`]: { name: "RISC account-purged", meaning: () => "disable" },
  [`${RISC}account-enabled`]: { name: "RISC account-enabled", meaning: () => "enable" },
  [`${RISC}account-credential-change-required`]: {
    name: "RISC account-credential-change-required",
    meaning: () => "end-sessions",
  },
  [`${RISC}sessions-revoked`]: { name: "RISC sessions-revoked", meaning: () => "end-sessions" },
  [`${RISC}identifier-changed`]: { name: "RISC identifier-changed", meaning: () => "ask" },
  [`${SSF}verification`]: { name: "SSF verification", meaning: () => "verification" },
  [`${SSE}verification`]: { name: "SSF verification", meaning: () => "verification" },
  [`${SSF}stream-updated`]: { name: "SSF stream-updated", meaning: () => "stream-updated" },
  [`${SSE}stream-updated`]: { name: "SSF stream-updated", meaning: () => "stream-updated" },
};

/** The types that a stream is asked for. */
export const WANTED_EVENTS: readonly string[] = Object.keys(TYPES).filter(
  (uri) => uri.startsWith(CAEP) || uri.startsWith(RISC),
);

/** What an event of this type comes to; undefined for types that mean nothing here. Code `invalid_request`. */
export function meaningOf(uri: string, event: Event): { name: string; meaning: EventMeaning } | undefined {
  const type = Object.hasOwn(TYPES, uri) ? TYPES[uri] : undefined;
  return type === undefined ? undefined : { name: type.name, meaning: type.meaning(event) };
}

function oneOf(value: unknown, meanings: Record<string, EventMeaning>): EventMeaning {
  const meaning = typeof value === "string" && Object.hasOwn(meanings, value) ? meanings[value] : undefined;
  if (meaning !== undefined) return meaning;
  throw new SetError("invalid_request", "The token's event lacks a claim that its type requires.", {
    isSigned: true,
  });
}
