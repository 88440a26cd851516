import { identityTarget, type Revocation } from "@sallyport/core/policy/revocation.ts";
import { audit } from "../audit/audit.ts";
import { newestSignIn } from "../database/certificates.ts";
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
}

/**
 * Stores what an IdP says of somebody, in the caller's transaction, so that it stands or falls with what the caller notes (that a token
 * was used, that a user is disabled). Returns the entries to announce once that is committed; none where nothing changes: a
 * second `disable`, an `enable` of somebody who is not disabled.
 */
export async function storeIdentityNotice(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  { issuer, subject, effect, by, reason, evidence }: IdentityNotice,
): Promise<Revocation[]> {
  const target = identityTarget(issuer, subject);
  const newest = await findRevocation(db, "identity", target);
  const isDisabled = newest !== undefined && newest.before === null;
  const data = { issuer, subject, effect, ...evidence };
  await audit(db, environment, { type: "idp-notice", actor: by, data });
  if (effect === "enable" ? !isDisabled : isDisabled) return [];
  const at = seconds(environment.clock);
  // By the IdP's clock, which may be ahead of ours: nothing that was signed in for until now may escape.
  const before = effect === "disable" ? null : Math.max(at, await newestSignIn(db, issuer, subject)) + 1;
  const id = newId(environment, "rev");
  const entry = await addRevocation(db, { id, level: "identity", target, at, by, reason, before });
  const entries = [{ id, sequence: entry.sequence, level: entry.level, target, before }];
  const type = effect === "enable" ? "revocation-lifted" : "revoked";
  await audit(db, environment, { type, actor: by, data: { request: { issuer, subject, reason }, entries } });
  return [entry];
}
