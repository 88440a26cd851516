import {
  BINDING_EXTENSION,
  FRESH_ID_TOKEN_EXTENSION,
  ID_TOKEN_EXTENSION,
  PRINCIPAL,
} from "@sallyport/core/admission/certificate-extensions.ts";
import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import type { CertificateRequest } from "@sallyport/core/messages/client-api.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { formatCertificateLine, signCertificateWith } from "@sallyport/core/ssh/certificate.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import type { Signer } from "@sallyport/core/ssh/signer.ts";
import { addCertificate } from "../database/certificates.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, type Random, seconds } from "../environment.ts";
import { permits } from "./permits.ts";
import { certificateValidity } from "./validity.ts";

interface Needs {
  environment: Pick<Environment, "clock" | "random">;
  userCa: Signer;
  certificateLifetime: number;
}

/** A certificate that was signed, and is nobody's before it is stored. Times in seconds since the epoch. */
export interface SignedUserCertificate {
  line: string;
  /** Decimal. */
  serial: string;
  validAfter: number;
  validBefore: number;
}

/** What a certificate says, all of it checked before. */
export interface CertificateSubject {
  /** What goes in as it is; `freshIdToken` in a renewed certificate only. */
  request: Pick<CertificateRequest, "binding" | "idToken"> & { freshIdToken?: string };
  key: SshPublicKey;
  /** Whose it is, and when the IdP's word for it ends. */
  token: Pick<VerifiedIdToken, "issuer" | "subject" | "expiresAt">;
  member: Member;
  engagements: readonly Engagement[];
}

/**
 * Signs a user certificate that carries the binding and the ID token. Not inside a transaction: the key may be in an agent
 * that takes its time, or is away (code `key-unavailable`), and others need the database.
 */
export async function signUserCertificate(
  needs: Needs,
  subject: CertificateSubject,
): Promise<SignedUserCertificate> {
  const { request, key, token, member } = subject;
  const now = seconds(needs.environment.clock);
  const validity = certificateValidity({
    now,
    lifetime: needs.certificateLifetime,
    tokenExpiresAt: token.expiresAt,
    engagements: subject.engagements,
  });
  const serial = randomSerial(needs.environment.random);
  const blob = await signCertificateWith(
    {
      certType: "user",
      publicKey: key,
      serial,
      keyId: `sallyport:${member.id}:${serial}`,
      validPrincipals: [PRINCIPAL],
      ...validity,
      extensions: new Map([
        ...permits(subject.engagements, now).map((name) => [name, new Uint8Array()] as const),
        [BINDING_EXTENSION, Buffer.from(canonicalJson(request.binding))],
        [ID_TOKEN_EXTENSION, Buffer.from(request.idToken)],
        ...(request.freshIdToken === undefined
          ? []
          : ([[FRESH_ID_TOKEN_EXTENSION, Buffer.from(request.freshIdToken)]] as const)),
      ]),
      nonce: needs.environment.random(32),
    },
    needs.userCa,
  );
  return { line: formatCertificateLine(blob, `sallyport-${serial}`), serial: serial.toString(), ...validity };
}

/** Stores that a certificate was issued; it may be given to its owner then. A `TypeError` for a serial that was used before. */
export async function storeUserCertificate(
  { db, environment }: { db: Database; environment: Pick<Environment, "clock"> },
  {
    key,
    token,
    member,
  }: Pick<CertificateSubject, "key" | "member"> & {
    /** Of the sign-in, also where it was renewed since. */
    token: Pick<VerifiedIdToken, "issuer" | "subject" | "issuedAt">;
  },
  certificate: SignedUserCertificate,
): Promise<void> {
  const isNew = await addCertificate(db, {
    serial: certificate.serial,
    member_id: member.id,
    issuer: token.issuer,
    subject: token.subject,
    key_fingerprint: fingerprint(key.blob),
    signed_in_at: Math.floor(token.issuedAt),
    valid_after: certificate.validAfter,
    valid_before: certificate.validBefore,
    issued_at: seconds(environment.clock),
  });
  if (!isNew) throw new TypeError("the source of random numbers repeats itself");
}

/** 63 random bits, not zero: OpenSSH takes a serial of 0 for none. */
function randomSerial(random: Random): bigint {
  const serial = Buffer.from(random(8)).readBigUInt64BE() >> 1n;
  return serial === 0n ? 1n : serial;
}
