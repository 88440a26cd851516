import { SallyportError } from "@sallyport/core/errors.ts";
import type { RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { certificateBySerial } from "../database/certificates.ts";
import { findEngagement } from "../database/engagements.ts";
import { memberByEmail, memberById, membersByName } from "../database/members.ts";
import { sessionById } from "../database/sessions.ts";
import type { Database } from "../database/tables.ts";
import { engagementNotFound } from "../policy/end-engagement.ts";

/** One thing to revoke, in the form in which hosts look it up. */
export interface RevocationTarget {
  level: RevocationLevel;
  target: string;
}

/**
 * What a request means: a session also means the certificate that it was opened with, or its holder would be back at
 * once; and a certificate also means its key, or those that it was renewed from and to would do as well. Code `not-found` for what is unknown or could mean several.
 */
export async function resolveTarget(
  db: Database,
  { level, target }: RevocationTarget,
): Promise<RevocationTarget[]> {
  switch (level) {
    case "session":
      return resolveSession(db, target);
    case "certificate":
      return resolveCertificate(db, target);
    case "key":
      return [{ level, target: checkFingerprint(target) }];
    case "member":
      return [{ level, target: await resolveMember(db, target) }];
    case "engagement":
      return [{ level, target: await resolveEngagement(db, target) }];
    case "identity":
    case "vendor":
    case "issuer":
      return [{ level, target }];
  }
}

/** The id of the member that an id, e-mail or name means. */
export async function resolveMember(db: Database, text: string): Promise<string> {
  const single = (await memberById(db, text)) ?? (await memberByEmail(db, text));
  if (single !== undefined) return single.id;
  const named = await membersByName(db, text);
  if (named.length === 1 && named[0] !== undefined) return named[0].id;
  const shown = printable(text, 100);
  throw notFound(
    named.length === 0
      ? `There is no member ${shown}. Give the id, e-mail or name of one; to list them: sallyport member list`
      : `${named.length} members are called ${shown}. Give the e-mail or id of one: ${named.map(({ id }) => id).join(", ")}.`,
  );
}

async function resolveSession(db: Database, id: string): Promise<RevocationTarget[]> {
  const session = await sessionById(db, id);
  if (session === undefined)
    throw notFound(`There is no session ${printable(id, 100)}. To list them: sallyport sessions`);
  return [
    { level: "session", target: session.id },
    ...certificateTargets(
      session.certificateSerial,
      await certificateBySerial(db, session.certificateSerial),
    ),
  ];
}

async function resolveCertificate(db: Database, serial: string): Promise<RevocationTarget[]> {
  const certificate = await certificateBySerial(db, serial);
  if (certificate !== undefined) return certificateTargets(serial, certificate);
  throw notFound(`No certificate with serial ${printable(serial, 40)} was issued here; give it in decimal.`);
}

function certificateTargets(
  serial: string,
  certificate: { key_fingerprint: string } | undefined,
): RevocationTarget[] {
  return [
    { level: "certificate", target: serial },
    ...(certificate === undefined ? [] : [{ level: "key" as const, target: certificate.key_fingerprint }]),
  ];
}

async function resolveEngagement(db: Database, nameOrId: string): Promise<string> {
  const engagement = await findEngagement(db, nameOrId);
  if (engagement === undefined) throw engagementNotFound(nameOrId);
  return engagement.id;
}

/** A key may be revoked before it was ever seen here. */
function checkFingerprint(text: string): string {
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(text)) return text;
  throw notFound("A key is named by its fingerprint as ssh-keygen -l shows it: SHA256: and 43 characters.");
}

function notFound(message: string): SallyportError {
  return new SallyportError("not-found", message);
}
