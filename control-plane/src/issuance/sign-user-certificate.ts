import type { KeyObject } from "node:crypto";
import {
  BINDING_EXTENSION,
  ID_TOKEN_EXTENSION,
  PRINCIPAL,
} from "@sallyport/core/admission/certificate-extensions.ts";
import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import type { CertificateRequest, CertificateResponse } from "@sallyport/core/messages/client-api.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { formatCertificateLine, signCertificate } from "@sallyport/core/ssh/certificate.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { addCertificate } from "../database/certificates.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, type Random, seconds } from "../environment.ts";
import { permits } from "./permits.ts";
import { certificateValidity } from "./validity.ts";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  userCa: KeyObject;
  certificateLifetime: number;
}

/** What a certificate says, all of it checked before. */
export interface CertificateSubject {
  request: CertificateRequest;
  key: SshPublicKey;
  token: VerifiedIdToken;
  member: Member;
  engagements: readonly Engagement[];
}

/** Signs a user certificate that carries the binding and the ID token, and stores that it was issued. */
export async function signUserCertificate(
  needs: Needs,
  subject: CertificateSubject,
): Promise<NonNullable<CertificateResponse["certificate"]>> {
  const { request, key, token, member } = subject;
  const now = seconds(needs.environment.clock);
  const validity = certificateValidity({
    now,
    lifetime: needs.certificateLifetime,
    tokenExpiresAt: token.expiresAt,
    engagements: subject.engagements,
  });
  const serial = await reserveSerial(needs, subject, validity, now);
  const blob = signCertificate(
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
      ]),
      nonce: needs.environment.random(32),
    },
    needs.userCa,
  );
  return { line: formatCertificateLine(blob, `sallyport-${serial}`), serial: serial.toString(), ...validity };
}

async function reserveSerial(
  needs: Needs,
  { key, token, member }: CertificateSubject,
  validity: { validAfter: number; validBefore: number },
  now: number,
): Promise<bigint> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const serial = randomSerial(needs.environment.random);
    const isNew = await addCertificate(needs.db, {
      serial: serial.toString(),
      member_id: member.id,
      issuer: token.issuer,
      subject: token.subject,
      key_fingerprint: fingerprint(key.blob),
      valid_after: validity.validAfter,
      valid_before: validity.validBefore,
      issued_at: now,
    });
    if (isNew) return serial;
  }
  throw new TypeError("the source of random numbers repeats itself");
}

/** 63 random bits, not zero: OpenSSH takes a serial of 0 for none. */
function randomSerial(random: Random): bigint {
  const serial = Buffer.from(random(8)).readBigUInt64BE() >> 1n;
  return serial === 0n ? 1n : serial;
}
