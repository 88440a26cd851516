import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { audit } from "../audit/audit.ts";
import { isKnownIdentity } from "../database/known-identities.ts";
import { useToken } from "../database/one-time-values.ts";
import { inTransaction } from "../database/open-database.ts";
import { addRevocation, findRevocation } from "../database/revocations.ts";
import {
  deleteSessionTokens,
  endIdpSession,
  type IdpSession,
  keysOfSession,
  subjectsOfSession,
} from "../database/sign-in-sessions.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";
import { storeIdentityNotice } from "../revocations/identity-notice.ts";
import type { LogoutNotice } from "./logout-token.ts";
import { NoticeRefused } from "./notice-refused.ts";

const REASON = "signed out at the IdP";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
}

/**
 * Does what a verified logout token says, once, and returns the revocations to announce. A `sid` narrows it to the sign-ins of that session,
 * and to those of which no session is known; without one all of the subject's end. Somebody unknown, or a session that nobody has signed
 * in from, is an answer like any other (§2.7): it is noted, and nothing is revoked. Throws {@link NoticeRefused} for a token that was used
 * before, and for a session that is another subject's.
 */
export async function logOut({ db, environment }: Needs, notice: LogoutNotice): Promise<Revocation[]> {
  return inTransaction(db, async (db) => {
    const now = seconds(environment.clock);
    if (!(await useToken(db, notice.mark, notice.markedUntil, now)))
      throw refused(notice, "This token was used before.");
    return notice.sid === undefined
      ? endAll({ db, environment }, notice)
      : endSession({ db, environment }, { ...notice, sid: notice.sid });
  });
}

async function endAll(needs: Needs, { issuer, subject = "", jti }: LogoutNotice): Promise<Revocation[]> {
  const { db, environment } = needs;
  const evidence = { jti, way: "back-channel logout" };
  const by = byOf(issuer.name);
  const named = { issuer: issuer.issuer, subject };
  if (await isKnownIdentity(db, named.issuer, subject))
    return storeIdentityNotice(db, environment, {
      ...{ ...named, by, evidence },
      effect: "end-sessions",
      reason: REASON,
    });
  await audit(db, environment, {
    type: "idp-notice",
    actor: by,
    data: { ...named, effect: "end-sessions", ...evidence, known: false },
  });
  return [];
}

async function endSession(
  { db, environment }: Needs,
  notice: LogoutNotice & { sid: string },
): Promise<Revocation[]> {
  const { sid, subject, jti } = notice;
  const { issuer, name, maxTokenAge, signInLifetime } = notice.issuer;
  const now = seconds(environment.clock);
  const owners = await subjectsOfSession(db, issuer, sid);
  if (subject !== undefined && owners.length > 0 && !owners.includes(subject))
    throw refused(notice, "This session is another subject's.");
  // Also one that nobody has signed in from: an ID token of it may still be on its way here.
  await endIdpSession(db, { issuer, sid, ended_at: now, expires_at: now + maxTokenAge + 600 });
  const entries: Revocation[] = [];
  const by = byOf(name);
  let tokens = 0;
  const subjects = subject === undefined ? owners : [subject];
  for (const one of subjects) {
    const session = { issuer, subject: one, sid };
    entries.push(...(await revokeKeys({ db, environment }, session, { by, now, signInLifetime })));
    tokens += await deleteSessionTokens(db, session);
  }
  const data = {
    ...{ issuer, sid, jti, way: "back-channel logout", effect: "end-session" },
    ...(subject === undefined ? {} : { subject }),
    subjects,
    keys: entries.map(({ target }) => target),
    apiTokens: tokens,
  };
  await audit(db, environment, { type: "idp-notice", actor: by, data });
  if (entries.length > 0) {
    const revoked = entries.map(({ id, sequence, level, target }) => ({ id, sequence, level, target }));
    const request = { issuer, sid, reason: REASON };
    await audit(db, environment, { type: "revoked", actor: by, data: { request, entries: revoked } });
  }
  return entries;
}

/** By key, so that what was renewed since goes too, and the sign-in on another machine stays. */
async function revokeKeys(
  { db, environment }: Needs,
  session: IdpSession,
  { by, now, signInLifetime }: { by: string; now: number; signInLifetime: number },
): Promise<Revocation[]> {
  const entries: Revocation[] = [];
  for (const target of await keysOfSession(db, session, { now, renewableSince: now - signInLifetime })) {
    const newest = await findRevocation(db, "key", target);
    if (newest !== undefined && newest.before === null) continue;
    const id = newId(environment, "rev");
    entries.push(await addRevocation(db, { id, level: "key", target, at: now, by, reason: REASON }));
  }
  return entries;
}

function byOf(name: string): string {
  return printable(`back-channel logout of ${name}`, 300);
}

function refused({ issuer, jti }: LogoutNotice, sentence: string): NoticeRefused {
  return new NoticeRefused(400, "invalid_request", sentence, { signedBy: { issuer: issuer.issuer, jti } });
}
