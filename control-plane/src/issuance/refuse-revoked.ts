import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { minuteOf } from "@sallyport/core/policy/told.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { revocationOf, revokedCertificateOf } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import type { Person } from "./recognise.ts";

const WHAT: Partial<Record<Revocation["level"], string>> = {
  identity: "Your account",
  member: "Your access",
  vendor: "All access of your company",
  issuer: "All access of people of your identity provider",
  key: "This SSH key",
  certificate: "Your certificate",
};

/** What somebody asks for a certificate with. */
interface Asked {
  member: Member | undefined;
  token: Pick<VerifiedIdToken, "issuer" | "subject" | "issuedAt">;
  key: SshPublicKey;
  engagements: readonly Engagement[];
}

/**
 * Nobody gets a certificate whose identity, member, vendor, IdP or key is revoked, nor does a key with a revoked certificate: to
 * renew must not undo it. The person is told who took it away. Codes `forbidden`; `token-invalid` where another sign-in helps.
 */
export async function refuseRevoked(db: Database, asked: Asked): Promise<void> {
  const revocation = await findRevoked(db, asked);
  if (revocation !== undefined) throw refusal(revocation, asked);
}

/**
 * The same at a sign-in. Staff of a revoked vendor or IdP are let in as staff alone: nobody is to lock the security team out by it.
 * Returns who they still are.
 */
export async function refuseRevokedPerson(
  db: Database,
  { person, ...asked }: Omit<Asked, "member"> & { person: Person },
): Promise<Person> {
  const { member, staff } = person;
  const revocation = await findRevoked(db, { ...asked, member });
  if (revocation === undefined) return person;
  const isWholesale = revocation.level === "vendor" || revocation.level === "issuer";
  if (isWholesale && staff !== undefined) return { member: undefined, staff, pinned: false };
  throw refusal(revocation, asked, staff !== undefined);
}

/** Whoever is no member has no key or certificate here, only an identity. */
async function findRevoked(
  db: Database,
  { member, token, key }: Omit<Asked, "engagements">,
): Promise<Revocation | undefined> {
  const { issuer, subject, issuedAt: signedInAt } = token;
  const identity = { issuer, subject, signedInAt };
  if (member === undefined) return revocationOf(db, identity);
  const keyFingerprint = fingerprint(key.blob);
  return (
    (await revocationOf(db, {
      ...identity,
      keyFingerprint,
      memberId: member.id,
      vendors: [member.vendor],
    })) ?? (await revokedCertificateOf(db, keyFingerprint))
  );
}

function refusal(
  { level, before, at, by, reason: why }: Revocation,
  { engagements }: Pick<Asked, "engagements">,
  isStaff = false,
): SallyportError {
  const reason = why === "" ? "" : `: ${why}`;
  if (before !== null)
    return new SallyportError(
      "token-invalid",
      `This sign-in was ended ${minuteOf(at)} by ${by}${reason}. Sign in again.`,
    );
  const whom = isStaff ? "another admin of Sallyport, or of your identity provider" : contactOf(engagements);
  return new SallyportError(
    "forbidden",
    `${WHAT[level]} was revoked ${minuteOf(at)} by ${by}${reason}. Ask ${whom}.`,
  );
}

/** Whom to ask. */
export function contactOf(engagements: readonly Engagement[]): string {
  return engagements.find(({ contact }) => contact !== "")?.contact ?? "the people who gave you this work";
}
