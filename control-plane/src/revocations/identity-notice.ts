import { identityTarget, type Revocation } from "@sallyport/core/policy/revocation.ts";
import { audit } from "../audit/audit.ts";
import { newestSignIn } from "../database/certificates.ts";
import { identityState, saveIdentityState } from "../database/identity-states.ts";
import { addRevocation, findRevocation } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";

/** What an IdP says of one of its people, whichever way it came. */
export interface IdentityNotice {
  issuer: string;
  subject: string;
  /**
   * `end-sessions`: what hangs on sign-ins so far is over, and they may sign in again. `disable`: that, and nothing new until `enable`.
   * `enable`: they may sign in again; what was before stays gone.
   */
  effect: "end-sessions" | "disable" | "enable";
  /** Who says so, as people read it: "SCIM of Okta", "back-channel logout of Keycloak". */
  by: string;
  reason: string;
  /** What came, for the audit log: ids and types, never a token. */
  evidence: Record<string, unknown>;
  /**
   * When it happened, in seconds by the IdP's clock, where the notice says so: it may come late, and says nothing of what was after
   * that. Default: now.
   */
  at?: number | undefined;
}

/**
 * Stores what an IdP says of somebody, in the caller's transaction, so that it stands or falls with what the caller notes (that a token
 * was used, that a user is disabled). Returns the entries to announce once that is committed; none where nothing changes: a
 * second `disable`, an `enable` of somebody who is not disabled.
 *
 * Notices may come late and in any order, each with the time when it happened. `end-sessions` reaches the sign-ins until then and
 * never fewer than an earlier entry did. Of `disable` and `enable` the one that happened last counts: a late `disable` is an
 * `end-sessions` by then, a late `enable` nothing. And an IdP takes back only what an IdP has said: whom an administrator has
 * revoked stays so.
 */
export async function storeIdentityNotice(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  notice: IdentityNotice,
): Promise<Revocation[]> {
  const { issuer, subject, by, reason, evidence } = notice;
  const target = identityTarget(issuer, subject);
  const newest = await findRevocation(db, "identity", target);
  const now = seconds(environment.clock);
  const data = { issuer, subject, effect: notice.effect, ...evidence };
  await audit(db, environment, { type: "idp-notice", actor: by, data });
  const effect = await effectNow(db, { target, newest, notice, now });
  if (effect === undefined) return [];
  const before = effect === "disable" ? null : await reachOf(db, { newest, notice, effect, now });
  if (before !== null && notice.at !== undefined && before === newest?.before) return [];
  const id = newId(environment, "rev");
  const name = `${issuer} ${subject}`;
  const entry = await addRevocation(db, { id, level: "identity", target, at: now, by, reason, before, name });
  if (effect === "disable") {
    const state = await identityState(db, target);
    await saveIdentityState(db, { ...state, disabled_by: id });
  }
  const entries = [{ id, sequence: entry.sequence, level: entry.level, target, before }];
  const type = effect === "enable" ? "revocation-lifted" : "revoked";
  await audit(db, environment, { type, actor: by, data: { request: { issuer, subject, reason }, entries } });
  return [entry];
}

interface Judged {
  newest: Revocation | undefined;
  notice: IdentityNotice;
  now: number;
}

/** What a notice comes to, after what was said before; undefined for nothing. Notes what it says of whether they may sign in. */
async function effectNow(
  db: Database,
  { target, newest, notice, now }: Judged & { target: string },
): Promise<IdentityNotice["effect"] | undefined> {
  const isDisabled = newest !== undefined && newest.before === null;
  if (notice.effect === "end-sessions") return isDisabled ? undefined : "end-sessions";
  // An IdP's clock that is ahead must not make what comes afterwards look older.
  const at = Math.min(notice.at ?? now, now);
  const state = await identityState(db, target);
  if (notice.effect === "enable") {
    await saveIdentityState(db, { ...state, enabled_at: Math.max(at, state.enabled_at ?? at) });
    const isTheirs = isDisabled && state.disabled_by === newest.id;
    return isTheirs && at >= (state.disabled_at ?? at) ? "enable" : undefined;
  }
  await saveIdentityState(db, { ...state, disabled_at: Math.max(at, state.disabled_at ?? at) });
  if (isDisabled) return undefined;
  return at < (state.enabled_at ?? at) ? "end-sessions" : "disable";
}

/** Until when sign-ins are gone. */
async function reachOf(
  db: Database,
  { newest, notice, effect, now }: Judged & { effect: "end-sessions" | "enable" },
): Promise<number> {
  const { issuer, subject, at } = notice;
  const until =
    effect === "end-sessions" && at !== undefined
      ? Math.floor(at)
      : // By the IdP's clock, which may be ahead of ours: nothing that was signed in for until now may escape.
        Math.max(now, await newestSignIn(db, issuer, subject));
  // The newest entry counts alone, so it must not reach less far than the one before it.
  return Math.max(until + 1, newest?.before ?? 0);
}
