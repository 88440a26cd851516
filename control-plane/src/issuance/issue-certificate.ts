import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { CertificateRequest, CertificateResponse } from "@sallyport/core/messages/client-api.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { minuteOf } from "@sallyport/core/policy/told.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { audit } from "../audit/audit.ts";
import type { Configuration } from "../config/configuration.ts";
import { listEngagements } from "../database/engagements.ts";
import { inTransaction } from "../database/open-database.ts";
import { findRevocation } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import type { Keys } from "../keys/keys.ts";
import { describeMe } from "../people/describe-me.ts";
import { makeApiToken } from "./api-token.ts";
import { consumeChallenge } from "./challenge.ts";
import { acceptOnce, checkIdToken, checkNonce, claimedOrigin } from "./check-id-token.ts";
import { checkProof } from "./check-proof.ts";
import { type Person, recognise } from "./recognise.ts";
import { signUserCertificate } from "./sign-user-certificate.ts";

/** What hosts have to be told when a certificate is issued. */
export interface IssueAnnouncer {
  /** Sends new bundles; resolves when connected hosts have them, or after 2 s. */
  publishBundles(): Promise<unknown>;
  /** Suggests to every connected host that it fetch the keys of an issuer. */
  hintKeys(issuer: string, kid: string): void;
}

/** What issuing needs. */
export interface IssuanceNeeds {
  db: Database;
  environment: Environment;
  config: Configuration;
  keys: Pick<Keys, "userCa">;
  issuerKeys: Pick<IssuerKeys, "ready" | "known">;
  hosts: IssueAnnouncer;
}

/**
 * `POST /certificates`: signs somebody in, and certifies their SSH key for as long as they may use it. `from` is the
 * client's address, for the audit log.
 */
export async function issueCertificate(
  needs: IssuanceNeeds,
  request: CertificateRequest,
  from: string,
): Promise<CertificateResponse> {
  let token: VerifiedIdToken | undefined;
  try {
    await consumeChallenge(needs, request.challenge);
    token = await checkIdToken(
      { ...needs, clock: needs.environment.clock, issuers: needs.config.issuers },
      request.idToken,
    );
    checkNonce(token, request.binding);
    const key = checkProof(request);
    await acceptOnce(needs.db, needs.environment.clock, request.idToken, token);
    const person = await recognise(
      {
        ...needs,
        staff: needs.config.staff,
        staffIssuer: needs.config.issuers[0]?.issuer ?? "",
        issuers: needs.config.issuers,
      },
      token,
    );
    const engagements = await engagementsOf(needs, person);
    await refuseRevoked(needs.db, person, key, engagements);
    if (person.pinned) await needs.hosts.publishBundles();
    const response = await issue(needs, { request, key, token, person, engagements, from });
    hintKeys(needs, request.idToken);
    return response;
  } catch (error) {
    await auditRefusal(needs, error, token, from);
    throw error;
  }
}

interface Checked {
  request: CertificateRequest;
  key: SshPublicKey;
  token: VerifiedIdToken;
  person: Person;
  engagements: readonly Engagement[];
  from: string;
}

async function issue(needs: IssuanceNeeds, checked: Checked): Promise<CertificateResponse> {
  const { request, key, token, person, engagements, from } = checked;
  const { member } = person;
  return inTransaction(needs.db, async (db) => {
    const inside = { db, environment: needs.environment };
    const certificate =
      member === undefined
        ? null
        : await signUserCertificate(
            { ...inside, userCa: needs.keys.userCa, certificateLifetime: needs.config.certificateLifetime },
            { request, key, token, member, engagements },
          );
    const apiToken = await makeApiToken(inside, token);
    const who = { issuer: token.issuer, subject: token.subject, from, mfa: token.mfa };
    const actor = member?.id ?? person.staff?.email ?? token.subject;
    await audit(db, needs.environment, { type: "signed-in", actor, data: who });
    if (certificate !== null) {
      const { serial, validBefore } = certificate;
      const data = { ...who, serial, validBefore, key: fingerprint(key.blob) };
      await audit(db, needs.environment, { type: "certificate-issued", actor, data });
    }
    const me = await describeMe(db, seconds(needs.environment.clock), {
      issuer: token.issuer,
      subject: token.subject,
      name: token.name ?? token.email ?? token.subject,
      mfa: token.mfa,
      member,
      staffRoles: person.staff === undefined ? [] : [person.staff.role],
    });
    return { v: 1, ...apiToken, certificate, me };
  });
}

async function engagementsOf(needs: IssuanceNeeds, { member }: Person): Promise<readonly Engagement[]> {
  return member === undefined ? [] : listEngagements(needs.db, member.id);
}

/** A revoked member or key gets no certificate, and is told who took it away. */
async function refuseRevoked(
  db: Database,
  { member }: Person,
  key: SshPublicKey,
  engagements: readonly Engagement[],
): Promise<void> {
  if (member === undefined) return;
  const revocation =
    (await findRevocation(db, "member", member.id)) ??
    (await findRevocation(db, "key", fingerprint(key.blob)));
  if (revocation === undefined) return;
  const reason = revocation.reason === "" ? "" : `: ${revocation.reason}`;
  const contact =
    engagements.find((engagement) => engagement.contact !== "")?.contact ??
    "the people who gave you this work";
  const what = revocation.level === "member" ? "Your access" : "This SSH key";
  throw new SallyportError(
    "forbidden",
    `${what} was revoked ${minuteOf(revocation.at)} by ${revocation.by}${reason}. Ask ${contact}.`,
  );
}

function hintKeys(needs: IssuanceNeeds, idToken: string): void {
  const { issuer, kid } = claimedOrigin(idToken);
  if (issuer !== undefined && kid !== undefined) needs.hosts.hintKeys(issuer, kid);
}

async function auditRefusal(
  needs: IssuanceNeeds,
  error: unknown,
  token: VerifiedIdToken | undefined,
  from: string,
): Promise<void> {
  if (!isSallyportError(error)) return;
  // Only what the IdP vouches for is named; before that, anybody can claim to be anybody.
  const who = token === undefined ? {} : { issuer: token.issuer, subject: token.subject };
  await audit(needs.db, needs.environment, {
    type: "certificate-refused",
    actor: token?.subject ?? "unknown",
    data: { ...who, from, code: error.code, message: error.message },
  });
}
