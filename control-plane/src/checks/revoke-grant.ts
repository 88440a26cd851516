import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { audit } from "../audit/audit.ts";
import { addRevocation, findRevocation } from "../database/revocations.ts";
import { deleteGrant, liveGrants, type SignInGrant } from "../database/sign-in-grants.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";

const BY = "active check of ";

/** True for an entry that is here because an IdP, asked, did not vouch. */
export function isByActiveCheck({ level, by }: Pick<Revocation, "level" | "by">): boolean {
  return level === "key" && by.startsWith(BY);
}

/** Why what hangs on a sign-in ends. */
export interface GrantVerdict {
  /** As people read it: the IdP's name. */
  issuerName: string;
  reason: string;
  /** For the audit log: never a token. */
  evidence: Record<string, unknown>;
}

/**
 * Revokes the key of a sign-in that is not vouched for any more, and forgets its refresh token; in the caller's transaction. When it was
 * the person's last, their tokens for the API go too. Returns what is to be announced after the commit; nothing where the key was
 * revoked already.
 */
export async function revokeGrantKey(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  grant: SignInGrant,
  { issuerName, reason: text, evidence }: GrantVerdict,
): Promise<Revocation[]> {
  const by = printable(`${BY}${issuerName}`, 400);
  const reason = printable(text, 400);
  const { key_fingerprint: target, issuer, subject } = grant;
  await deleteGrant(db, grant);
  await audit(db, environment, {
    type: "idp-notice",
    actor: by,
    data: { issuer, subject, key: target, ...evidence },
  });
  await endApiAccess(db, { issuer, subject, now: environment.clock() });
  const known = await findRevocation(db, "key", target);
  if (known !== undefined && known.before === null) return [];
  const at = seconds(environment.clock);
  const id = newId(environment, "rev");
  const entry = await addRevocation(db, { id, level: "key", target, at, by, reason });
  const entries = [{ id, sequence: entry.sequence, level: entry.level, target, before: null }];
  await audit(db, environment, {
    type: "revoked",
    actor: by,
    data: { request: { issuer, subject, reason }, entries },
  });
  return [entry];
}

/**
 * Those that people made for programs stay: they hang on no sign-in, and do what their maker's roles allow. A sign-in that nobody asks
 * about, since its certificate is over, says nothing for the person. `now` in milliseconds.
 */
async function endApiAccess(
  db: Database,
  { issuer, subject, now }: { issuer: string; subject: string; now: number },
): Promise<void> {
  const other = await liveGrants(db, now)
    .select("key_fingerprint")
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .where("lost_at_ms", "is", null)
    .limit(1)
    .executeTakeFirst();
  if (other !== undefined) return;
  await db
    .deleteFrom("api_tokens")
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .where("kind", "in", ["sign-in", "brokered"])
    .execute();
}
