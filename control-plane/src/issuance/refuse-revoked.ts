import { SallyportError } from "@sallyport/core/errors.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { minuteOf } from "@sallyport/core/policy/told.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { findRevocation, revokedCertificateOf } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";

const WHAT: Partial<Record<Revocation["level"], string>> = {
  member: "Your access",
  key: "This SSH key",
  certificate: "Your certificate",
};

/**
 * A revoked member or key gets no certificate, nor does a key with a revoked one: to renew must not undo it. The person is
 * told who took it away. Code `forbidden`.
 */
export async function refuseRevoked(
  db: Database,
  memberId: string | undefined,
  key: SshPublicKey,
  engagements: readonly Engagement[],
): Promise<void> {
  if (memberId === undefined) return;
  const revocation =
    (await findRevocation(db, "member", memberId)) ??
    (await findRevocation(db, "key", fingerprint(key.blob))) ??
    (await revokedCertificateOf(db, fingerprint(key.blob)));
  if (revocation === undefined) return;
  const reason = revocation.reason === "" ? "" : `: ${revocation.reason}`;
  throw new SallyportError(
    "forbidden",
    `${WHAT[revocation.level]} was revoked ${minuteOf(revocation.at)} by ${revocation.by}${reason}. ` +
      `Ask ${contactOf(engagements)}.`,
  );
}

/** Whom to ask. */
export function contactOf(engagements: readonly Engagement[]): string {
  return engagements.find(({ contact }) => contact !== "")?.contact ?? "the people who gave you this work";
}
