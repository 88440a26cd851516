import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { z } from "zod";
import { isKnownIdentity, subjectsWithEmail } from "../database/known-identities.ts";
import { useToken } from "../database/one-time-values.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { storeIdentityNotice } from "../revocations/identity-notice.ts";
import { PlainText } from "./idp-jwt.ts";
import { NoticeRefused } from "./notice-refused.ts";
import type { RevocationAssertion } from "./revocation-assertion.ts";

/** The formats of RFC 9493 that name one account of one IdP. */
const SubjectId = z.discriminatedUnion("format", [
  z.strictObject({ format: z.literal("iss_sub"), iss: PlainText(2000), sub: PlainText(255) }),
  z.strictObject({ format: z.literal("email"), email: PlainText(320) }),
  z.strictObject({ format: z.literal("opaque"), id: PlainText(255) }),
]);
export type SubjectId = z.output<typeof SubjectId>;

const Body = z
  .looseObject({ sub_id: SubjectId.optional(), subject: SubjectId.optional() })
  // `subject` is how Okta wrote it before. Whichever counted of two, another reader might take the other.
  .refine(({ sub_id, subject }) => (sub_id === undefined) !== (subject === undefined));

/** Whose tokens a request is to end. Throws {@link NoticeRefused} 400. */
export function readSubjectId(json: unknown, { issuer, jti }: RevocationAssertion): SubjectId {
  const result = Body.safeParse(json);
  const found = result.success ? (result.data.sub_id ?? result.data.subject) : undefined;
  if (found !== undefined) return found;
  const sentence = "The body needs one sub_id of format iss_sub, email or opaque (RFC 9493).";
  throw new NoticeRefused(400, "invalid_request", sentence, {
    cause: result.error,
    signedBy: { issuer: issuer.issuer, jti },
  });
}

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
}

/**
 * Ends all that hangs on somebody's sign-ins so far, once for each request, and returns the revocations to announce. Whoever the IdP
 * still lets in may sign in again. An e-mail means only people of this very IdP who are pinned under it. Throws {@link NoticeRefused}: 401 for a
 * request that came before, 403 for somebody of another IdP, 404 for somebody unknown.
 */
export async function revokeGlobally(
  { db, environment }: Needs,
  asked: RevocationAssertion,
  subjectId: SubjectId,
): Promise<Revocation[]> {
  const signedBy = { issuer: asked.issuer.issuer, jti: asked.jti };
  const outcome = await inTransaction(db, async (db) => {
    // Used up also where nobody is found: the transaction ends well, and the refusal comes after it.
    if (!(await useToken(db, asked.mark, asked.markedUntil, seconds(environment.clock)))) return "replayed";
    const subjects = await subjectsOf(db, asked, subjectId);
    if (subjects === "foreign") return "foreign";
    if (subjects.length === 0) return "unknown";
    const entries: Revocation[] = [];
    for (const subject of subjects) {
      const more = await storeIdentityNotice(db, environment, {
        ...{ issuer: asked.issuer.issuer, subject, effect: "end-sessions" },
        by: printable(`global token revocation of ${asked.issuer.name}`, 300),
        reason: "all sessions ended at the IdP",
        evidence: { jti: asked.jti, way: "global token revocation", format: subjectId.format },
      });
      entries.push(...more);
    }
    return entries;
  });
  if (outcome === "replayed")
    throw new NoticeRefused(401, "invalid_token", "This token was used before.", { signedBy });
  if (outcome === "foreign")
    throw new NoticeRefused(403, "access_denied", "This subject is another IdP's.", { signedBy });
  if (outcome === "unknown")
    throw new NoticeRefused(404, "not_found", "This subject is not known here.", { signedBy });
  return outcome;
}

async function subjectsOf(
  db: Database,
  { issuer, spokenFor }: RevocationAssertion,
  subjectId: SubjectId,
): Promise<string[] | "foreign"> {
  if (subjectId.format === "email")
    return subjectsWithEmail(db, issuer.issuer, [subjectId.email.toLowerCase()]);
  if (subjectId.format === "iss_sub" && !spokenFor.includes(subjectId.iss)) return "foreign";
  const subject = subjectId.format === "iss_sub" ? subjectId.sub : subjectId.id;
  return (await isKnownIdentity(db, issuer.issuer, subject)) ? [subject] : [];
}
