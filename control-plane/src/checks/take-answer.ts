import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { audit } from "../audit/audit.ts";
import { noteAnswered, noteUnanswered } from "../database/issuer-states.ts";
import { inTransaction } from "../database/open-database.ts";
import { type SignInGrant, settleGrant } from "../database/sign-in-grants.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import type { GrantSealing } from "../keys/grant-sealing.ts";
import type { IssuerAnswer, SilentAnswer } from "./ask-issuer.ts";
import { grantOwner } from "./keep-grant.ts";
import { revokeGrantKey } from "./revoke-grant.ts";
import type { FreshVerdict } from "./verify-fresh.ts";

/** Two checks of one person that something gave reason for are at least so many milliseconds apart. */
export const HINTS_APART = 10_000;
/** Of the period, so much is left to chance, so that sign-ins of one moment do not stay together. */
const JITTER = 0.1;

/** What taking in an answer needs. */
export interface AnswerNeeds {
  db: Database;
  environment: Environment;
  sealing: GrantSealing;
}

/** A question and what came of it. */
export interface Answered {
  /** As it was before the question. */
  grant: SignInGrant;
  issuer: IssuerConfiguration;
  claim: string;
  /** Milliseconds. */
  askedAt: number;
  answer: IssuerAnswer;
  /** Of the ID token in the answer. */
  fresh: FreshVerdict | undefined;
}

/** What came of a check, once it is stored. */
export interface CheckOutcome {
  kind: "vouched" | "refused" | "lost" | "silent" | "gone";
  /** For people. */
  detail: string;
  idToken?: string | undefined;
  /** A refresh token that nobody needs: its grant went while the IdP was asked. */
  unneeded?: string | undefined;
  /** To be announced. */
  entries: Revocation[];
  /** The silence of the issuer, which hosts knew of, is over. */
  isHeardAgain: boolean;
}

/**
 * Stores what came of a question, all of it in one commit: the new refresh token and that it is in no doubt any more, or that the
 * IdP does not vouch, with the revocation. A grant that is another's by now, or gone, is left alone.
 */
export function takeAnswer(needs: AnswerNeeds, answered: Answered): Promise<CheckOutcome> {
  return inTransaction(needs.db, (db) => {
    const { answer, fresh } = answered;
    const inside = { ...needs, db };
    if (answer.kind === "silent") return takeSilence(inside, answered, answer);
    if (answer.kind === "refuses") return takeRefusal(inside, answered, answer.answer);
    if (fresh?.kind === "other-person") return refuse(inside, answered, fresh.detail, "other-subject");
    return takeVouching(inside, answered, answer);
  });
}

async function takeVouching(
  needs: AnswerNeeds,
  answered: Answered,
  answer: IssuerAnswer & { kind: "vouches" },
): Promise<CheckOutcome> {
  const { db, environment, sealing } = needs;
  const { grant, issuer, claim, askedAt, fresh } = answered;
  const { key_fingerprint: key } = grant;
  const now = environment.clock();
  const owner = grantOwner(issuer.issuer, key);
  const token = answer.refreshToken ?? sealing.open(grant.token_sealed, owner);
  const isBad = fresh?.kind === "unverified";
  const idToken = fresh?.kind === "good" ? answer.idToken : undefined;
  const row = await settleGrant(db, key, claim, (row) => ({
    token_sealed: sealing.seal(token, owner),
    sealed_with: sealing.kid,
    in_doubt: 0,
    next_check_at_ms: nextCheck(needs.environment, answered, row.hinted_at_ms),
    ...(isBad
      ? { failing_since_ms: row.failing_since_ms ?? askedAt }
      : { failing_since_ms: null, last_answer_at_ms: askedAt }),
    ...(idToken !== undefined && {
      fresh_sealed: sealing.seal(idToken, grantOwner(issuer.issuer, key, "ID token")),
      fresh_at_ms: now,
    }),
  }));
  const isHeardAgain = await heard(needs, issuer);
  if (isBad)
    environment.log.warn("an IdP's fresh ID token does not pass", {
      issuer: issuer.issuer,
      reason: fresh.detail,
    });
  if (row === undefined) return { kind: "gone", detail: "", unneeded: token, entries: [], isHeardAgain };
  const detail = isBad ? fresh.detail : "";
  return { kind: isBad ? "silent" : "vouched", detail, idToken, entries: [], isHeardAgain };
}

async function takeRefusal(needs: AnswerNeeds, answered: Answered, answer: string): Promise<CheckOutcome> {
  const { db, environment } = needs;
  const { grant, issuer, claim } = answered;
  if (grant.in_doubt === 0) return refuse(needs, answered, answer, "not-vouched");
  // Asked before, with no answer stored: the IdP may have replaced the token then, and now only says that this one is old.
  const lost = { in_doubt: 0, lost_at_ms: environment.clock(), token_sealed: "", sealed_with: "" };
  const row = await settleGrant(db, grant.key_fingerprint, claim, () => ({ ...lost, fresh_sealed: null }));
  if (row !== undefined) {
    const { subject, key_fingerprint: key } = grant;
    const data = { issuer: issuer.issuer, subject, key, effect: "cannot be checked any more", answer };
    await audit(db, environment, { type: "idp-notice", actor: `active check of ${issuer.name}`, data });
  }
  return { kind: "lost", detail: answer, entries: [], isHeardAgain: await heard(needs, issuer) };
}

async function refuse(
  needs: AnswerNeeds,
  { grant, issuer, claim }: Answered,
  answer: string,
  effect: string,
): Promise<CheckOutcome> {
  const { db, environment } = needs;
  const reason = `${issuer.name} no longer vouches for you (${answer})`;
  const row = await settleGrant(db, grant.key_fingerprint, claim, () => "delete");
  const evidence = { effect, answer };
  const entries =
    row === undefined
      ? []
      : await revokeGrantKey(db, environment, grant, { issuerName: issuer.name, reason, evidence });
  return { kind: "refused", detail: answer, entries, isHeardAgain: await heard(needs, issuer) };
}

async function takeSilence(
  { db, environment }: AnswerNeeds,
  { grant, issuer, claim, askedAt }: Answered,
  { problem, mayHaveRotated, retryAfter = 0 }: SilentAnswer,
): Promise<CheckOutcome> {
  const now = environment.clock();
  const { failures, backOffUntil } = await noteUnanswered(db, {
    ...{ issuer: issuer.issuer, askedAt, now, problem },
    // Never longer than the period, whatever it asks for: silence would be no answer to "at most 60 s apart".
    backOffUntil: (failures) =>
      now +
      Math.ceil(1000 * Math.min(issuer.check.every, Math.max(2 ** Math.min(failures - 1, 10), retryAfter))),
  });
  await settleGrant(db, grant.key_fingerprint, claim, (row) => ({
    in_doubt: grant.in_doubt === 1 || mayHaveRotated ? 1 : 0,
    failing_since_ms: row.failing_since_ms ?? askedAt,
    // Behind the others: one that only fails by itself must not hold them up.
    next_check_at_ms: Math.max(backOffUntil, now + 250 * issuer.check.every),
  }));
  if (failures === 1)
    environment.log.warn("an IdP cannot be asked about people", { issuer: issuer.issuer, problem });
  return { kind: "silent", detail: problem, entries: [], isHeardAgain: false };
}

/** Notes that the issuer answers; true when hosts have to be told. */
async function heard(
  { db, environment }: AnswerNeeds,
  { issuer, name }: IssuerConfiguration,
): Promise<boolean> {
  const before = await noteAnswered(db, issuer, environment.clock());
  if (before === undefined || before.told_at_ms === null) return false;
  const data = { issuer, since: Math.floor((before.silent_since_ms ?? 0) / 1000) };
  await audit(db, environment, { type: "idp-answers", actor: `active check of ${name}`, data });
  environment.log.info("an IdP answers again", { issuer });
  return true;
}

function nextCheck({ clock, random }: Environment, { issuer, askedAt }: Answered, hintedAt: number): number {
  if (hintedAt >= askedAt) return Math.max(clock(), askedAt + HINTS_APART);
  const [chance = 0] = random(1);
  return Math.floor(askedAt + issuer.check.every * 1000 * (1 - (JITTER * chance) / 255));
}
