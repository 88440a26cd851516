import type { Assurance } from "@sallyport/core/admission/assurance.ts";
import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { CertificateRequest, CertificateResponse } from "@sallyport/core/messages/client-api.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { audit } from "../audit/audit.ts";
import type { Configuration } from "../config/configuration.ts";
import { listEngagements } from "../database/engagements.ts";
import { takeChallenge } from "../database/one-time-values.ts";
import { inTransaction } from "../database/open-database.ts";
import { revocationSequence } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import type { GrantSealing } from "../keys/grant-sealing.ts";
import type { Keys } from "../keys/keys.ts";
import { noteSignInSession } from "../logout/sign-in-session.ts";
import { describeMe } from "../people/describe-me.ts";
import { refuseDeprovisioned } from "../scim/sign-in-check.ts";
import { makeApiToken } from "./api-token.ts";
import { brokeredEngagements } from "./brokered.ts";
import { consumeChallenge, requireChallenge } from "./challenge.ts";
import { acceptOnce, checkBinding, checkIdToken, claimedOrigin, requireUnused } from "./check-id-token.ts";
import { checkProof } from "./check-proof.ts";
import { keepRefreshToken } from "./keep-refresh-token.ts";
import { rememberGroups } from "./named-groups.ts";
import { type Person, recognise } from "./recognise.ts";
import { refuseRevokedPerson } from "./refuse-revoked.ts";
import { signUserCertificate, storeUserCertificate } from "./sign-user-certificate.ts";

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
  /** Of the refresh tokens that clients hand over. */
  sealing: GrantSealing;
}

/**
 * `POST /certificates`: signs somebody in, and certifies their SSH key for as long as they may use it. The challenge is used up
 * in any case, the ID token only by success. `from` is the client's address, for the audit log.
 */
export async function issueCertificate(
  needs: IssuanceNeeds,
  request: CertificateRequest,
  from: string,
): Promise<CertificateResponse> {
  let token: VerifiedIdToken | undefined;
  try {
    await requireChallenge(needs, request.challenge);
    token = await checkIdToken(
      { ...needs, clock: needs.environment.clock, issuers: needs.config.issuers },
      request.idToken,
    );
    const assurance = checkBinding(token, request.binding, seconds(needs.environment.clock));
    const key = checkProof(request);
    // A token of before must change nothing, such as bring back groups that somebody was in then.
    await requireUnused(needs.db, request.idToken);
    await rememberGroups({ ...needs, rules: needs.config.staffGroups }, token);
    const admitted = await admit(needs, token, assurance, key);
    if (admitted.person.pinned) await needs.hosts.publishBundles();
    const response = await issue(needs, { request, key, token, assurance, from, ...admitted });
    hintKeys(needs, request.idToken);
    return response;
  } catch (error) {
    await noteRefusal(needs, { error, token, from, challenge: request.challenge });
    throw error;
  }
}

/**
 * Who this is, and what the sign-in is good for. One that is good for nothing leaves nothing behind: no invitation is used
 * up by it.
 */
function admit(needs: IssuanceNeeds, token: VerifiedIdToken, assurance: Assurance, key: SshPublicKey) {
  const { config, environment } = needs;
  return inTransaction(needs.db, async (db) => {
    const recognised = await recognise(
      {
        ...{ db, environment },
        staff: config.staff,
        staffGroups: config.staffGroups,
        staffIssuer: config.issuers[0]?.issuer ?? "",
        issuers: config.issuers,
      },
      token,
    );
    const known = await engagementsOf({ db }, recognised);
    const person = await refuseRevokedPerson(db, { person: recognised, token, key, engagements: known });
    await refuseDeprovisioned(db, config.issuers, token);
    const all = person.member === undefined ? [] : known;
    const now = seconds(environment.clock);
    const engagements = assurance === "bound" ? all : brokeredEngagements(person, all, now);
    return { person, known, all, engagements, admittedAt: now, revocations: await revocationSequence(db) };
  });
}

/**
 * Signing takes its time, and what came meanwhile counts: an IdP that has ended or disabled somebody has been told that it is done.
 * Codes as {@link refuseRevokedPerson}.
 */
async function admitStill(db: Database, { config }: IssuanceNeeds, checked: Checked): Promise<void> {
  const { person, key, known, admittedAt, revocations } = checked;
  await refuseDeprovisioned(db, config.issuers, checked.token);
  if ((await revocationSequence(db)) === revocations) return;
  // An IdP's clock that is ahead must not make the sign-in look later than what ended it.
  const token = { ...checked.token, issuedAt: Math.min(checked.token.issuedAt, admittedAt) };
  const { member } = await refuseRevokedPerson(db, { person, token, key, engagements: known });
  if (member === person.member) return;
  // Staff alone by now, and the certificate is a contractor's.
  throw new SallyportError("token-invalid", "Access was revoked while you signed in. Sign in again.");
}

interface Checked {
  request: CertificateRequest;
  key: SshPublicKey;
  token: VerifiedIdToken;
  assurance: Assurance;
  person: Person;
  /** Theirs as they were recognised, theirs, and those of them that the sign-in is good for. */
  known: readonly Engagement[];
  all: readonly Engagement[];
  engagements: readonly Engagement[];
  /** When they were, in seconds since the epoch, and where the revocation list stood then. */
  admittedAt: number;
  revocations: number;
  from: string;
}

async function issue(needs: IssuanceNeeds, checked: Checked): Promise<CertificateResponse> {
  const { request, key, token, assurance, person, all, engagements, from } = checked;
  const { member } = person;
  const certificate =
    member === undefined
      ? null
      : await signUserCertificate(
          { ...needs, userCa: needs.keys.userCa, certificateLifetime: needs.config.certificateLifetime },
          { request, key, token, member, engagements },
        );
  return inTransaction(needs.db, async (db) => {
    const inside = { db, environment: needs.environment };
    await admitStill(db, needs, checked);
    // Here and not before, so that everything that happens once is stored in one go: every commit is a wait for the disk.
    await consumeChallenge(inside, request.challenge);
    await acceptOnce(db, needs.environment.clock, request.idToken, token);
    if (certificate !== null && member !== undefined)
      await storeUserCertificate(inside, { key, token, member }, certificate);
    const renewableUntil =
      certificate === null || member === undefined
        ? null
        : await keepRefreshToken(db, needs, { request, key, token, member, certificate });
    const apiToken = await makeApiToken(inside, token, assurance);
    await noteSignInSession(db, request.idToken, { token, key, ...apiToken });
    const who = { ...evidence(token), from, assurance };
    const actor = member?.id ?? person.staff?.email ?? token.subject;
    await audit(db, needs.environment, { type: "signed-in", actor, data: who });
    if (certificate !== null) {
      const { serial, validBefore } = certificate;
      const data = { ...who, serial, validBefore, key: fingerprint(key.blob) };
      await audit(db, needs.environment, { type: "certificate-issued", actor, data });
    }
    const me = await describeMe(
      db,
      seconds(needs.environment.clock),
      {
        issuer: token.issuer,
        subject: token.subject,
        name: token.name ?? token.email ?? token.subject,
        mfa: token.mfa,
        member,
        staffRoles: person.staff?.roles ?? [],
      },
      all,
    );
    return {
      ...{ v: 1, ...apiToken, me },
      certificate: certificate && { ...certificate, assurance },
      renewableUntil,
    };
  });
}

async function engagementsOf(
  { db }: Pick<IssuanceNeeds, "db">,
  { member }: Person,
): Promise<readonly Engagement[]> {
  return member === undefined ? [] : listEngagements(db, member.id);
}

/** Who signed in and how, with what the IdP itself said of it. */
function evidence({ issuer, subject, mfa, acr, amr, acrs, authTime }: VerifiedIdToken) {
  return { issuer, subject, mfa, acr, amr, acrs, authTime };
}

/** Has hosts fetch the keys that this ID token is signed with, before somebody logs in with it. */
export function hintKeys(needs: IssuanceNeeds, idToken: string): void {
  const { issuer, kid } = claimedOrigin(idToken);
  const known = needs.config.issuers.find(
    (one) => one.issuer === issuer || one.aliases.includes(issuer ?? ""),
  );
  if (known !== undefined && kid !== undefined) needs.hosts.hintKeys(known.issuer, kid);
}

/** Takes the challenge of a refused request out of use, and writes down why it was refused. Other errors are not ours to report. */
export async function noteRefusal(
  { db, environment }: Pick<IssuanceNeeds, "db" | "environment">,
  refusal: { error: unknown; token: VerifiedIdToken | undefined; from: string; challenge: string },
): Promise<void> {
  const { error, token, from, challenge } = refusal;
  if (!isSallyportError(error)) return;
  // Only what the IdP vouches for is named; before that, anybody can claim to be anybody.
  const who = token === undefined ? {} : { issuer: token.issuer, subject: token.subject };
  await inTransaction(db, async (db) => {
    await takeChallenge(db, challenge, seconds(environment.clock));
    await audit(db, environment, {
      type: "certificate-refused",
      actor: token?.subject ?? "unknown",
      data: { ...who, from, code: error.code, message: error.message },
    });
  });
}
