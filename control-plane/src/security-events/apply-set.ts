import { CLOCK_SKEW } from "@sallyport/core/admission/id-token.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { audit } from "../audit/audit.ts";
import { noteSecurityEvent } from "../database/received-security-events.ts";
import { noteReceived } from "../database/security-event-streams.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { type IdentityNotice, storeIdentityNotice } from "../revocations/identity-notice.ts";
import { eventReason } from "./event-reason.ts";
import { eventSubject } from "./event-subject.ts";
import { eventTime } from "./event-time.ts";
import { meaningOf } from "./event-types.ts";
import { findSubjects } from "./find-identities.ts";
import { applyStreamUpdate, applyVerification } from "./stream-events.ts";
import type { Transmitter } from "./transmitter.ts";
import type { VerifiedSet } from "./verify-set.ts";

/** What a SET came to. */
export interface AppliedSet {
  /** It was taken before, and has done nothing now. */
  isRepeated: boolean;
  /** To announce once it is committed. */
  entries: Revocation[];
  /** Whom the IdP is to be asked about once it is committed. */
  toAsk: string[];
  /** For the log: each event by name, and what became of it. */
  told: { event: string; outcome: string }[];
}

/** Who speaks, as people read it. */
export function speaker({ name }: Transmitter): string {
  return `security events of ${printable(name, 200)}`;
}

/**
 * Does what a verified SET says, in the caller's transaction: that it was taken is stored with what it does, so that it does so once
 * however often it comes, and a crash before the commit leaves nothing. Throws a SetError for an event that does not conform
 * to its definition; nothing of the SET counts then.
 */
export async function applySet(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  set: VerifiedSet,
): Promise<AppliedSet> {
  const { transmitter, claims } = set;
  const applied: AppliedSet = { isRepeated: false, entries: [], toAsk: [], told: [] };
  const now = seconds(environment.clock);
  const forgetAt = Math.ceil(claims.iat) + transmitter.maxAge + CLOCK_SKEW;
  const token = { issuer: claims.iss, jti: claims.jti, forgetAt, now };
  if (!(await noteSecurityEvent(db, token))) return { ...applied, isRepeated: true };
  await noteReceived(db, transmitter.issuer, now);
  for (const [uri, event] of Object.entries(claims.events))
    await applyEvent({ db, environment, set, applied }, uri, event);
  return applied;
}

interface Applying {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  set: VerifiedSet;
  applied: AppliedSet;
}

async function applyEvent(applying: Applying, uri: string, event: Record<string, unknown>): Promise<void> {
  const { db, environment, set, applied } = applying;
  const told = (name: string, outcome: string) => applied.told.push({ event: name, outcome });
  const type = meaningOf(uri, event);
  if (type === undefined) {
    told(printable(uri, 200), "unknown type, nothing to do");
    return;
  }
  const { name, meaning } = type;
  if (meaning === "verification") {
    told(name, await applyVerification(db, environment, set, event));
    return;
  }
  if (meaning === "stream-updated") {
    told(name, await applyStreamUpdate(db, set, event));
    return;
  }
  const subjects = await subjectsOf(applying, event, meaning);
  if (subjects.length === 0) told(name, "nobody who is known here");
  for (const subject of subjects) {
    told(name, meaning);
    await applyToPerson(applying, { subject, name, meaning, event });
  }
}

async function subjectsOf(
  { db, set: { transmitter, claims } }: Applying,
  event: Record<string, unknown>,
  meaning: IdentityNotice["effect"] | "ask" | "log",
): Promise<string[]> {
  const named = eventSubject(claims, event, transmitter);
  // What is said of a session says nothing of whether its person may sign in.
  const lasting = meaning === "disable" || meaning === "enable";
  const counting = lasting ? named.filter(({ kind }) => kind !== "session") : named;
  return findSubjects(db, transmitter.issuer, counting);
}

async function applyToPerson(
  { db, environment, set: { transmitter, claims }, applied }: Applying,
  about: {
    subject: string;
    name: string;
    meaning: IdentityNotice["effect"] | "ask" | "log";
    event: Record<string, unknown>;
  },
): Promise<void> {
  const { subject, name, meaning, event } = about;
  const { issuer, maxAge } = transmitter;
  const at = eventTime(claims, event, maxAge);
  const by = speaker(transmitter);
  const evidence = { via: "SET", jti: claims.jti, event: name, at };
  if (meaning === "ask" || meaning === "log") {
    const data = { issuer, subject, effect: "none", ...evidence };
    await audit(db, environment, { type: "idp-notice", actor: by, data });
    if (meaning === "ask") applied.toAsk.push(subject);
    return;
  }
  const reason = eventReason(name, event);
  const notice = { issuer, subject, effect: meaning, by, reason, evidence, at };
  applied.entries.push(...(await storeIdentityNotice(db, environment, notice)));
}
