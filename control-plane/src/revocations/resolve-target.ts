import { SallyportError } from "@sallyport/core/errors.ts";
import { identityTarget, type RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { certificateBySerial } from "../database/certificates.ts";
import { findEngagement } from "../database/engagements.ts";
import { memberByEmail, memberById, membersByName } from "../database/members.ts";
import { revocationName } from "../database/revocations.ts";
import { sessionById } from "../database/sessions.ts";
import type { Database } from "../database/tables.ts";
import { engagementNotFound } from "../policy/end-engagement.ts";
import { isKnownIdentity, isKnownIssuer, isVendor, vendorsText } from "./known-names.ts";

/** One thing to revoke, in the form in which hosts look it up. */
export interface RevocationTarget {
  level: RevocationLevel;
  target: string;
  /** Who or what that is, as people read it, where the target does not tell. */
  name?: string;
}

/** What targets are looked up in. */
export interface ResolvingNeeds {
  db: Database;
  /** Of the configuration. */
  issuers: readonly { issuer: string; aliases: readonly string[] }[];
}

/**
 * What a request means: a session also means the certificate that it was opened with, or its holder would be back at
 * once; and a certificate also means its key, or those that it was renewed from and to would do as well. Code `not-found` for what is unknown or could mean several.
 */
export async function resolveTarget(
  { db, issuers }: ResolvingNeeds,
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
      return [await memberTarget(db, target)];
    case "engagement":
      return [await engagementTarget(db, target)];
    case "identity":
      return [await identityOf({ db, issuers }, target)];
    case "vendor":
      return [{ level, target: await checkVendor(db, target) }];
    case "issuer":
      return [{ level, target: await resolveIssuer({ db, issuers }, target) }];
  }
}

/** The id of the member that an id, e-mail or name means. */
export async function resolveMember(db: Database, text: string): Promise<string> {
  return (await memberTarget(db, text)).target;
}

async function memberTarget(db: Database, text: string): Promise<RevocationTarget> {
  const single = (await memberById(db, text)) ?? (await memberByEmail(db, text));
  const named = single === undefined ? await membersByName(db, text) : [single];
  const [member] = named;
  if (named.length === 1 && member !== undefined)
    return { level: "member", target: member.id, name: member.email ?? member.name };
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

async function engagementTarget(db: Database, nameOrId: string): Promise<RevocationTarget> {
  const engagement = await findEngagement(db, nameOrId);
  if (engagement === undefined) throw engagementNotFound(nameOrId);
  return { level: "engagement", target: engagement.id, name: engagement.name };
}

/** The issuer, a space and the subject; or the hash of both, as the list has it. */
async function identityOf({ db, issuers }: ResolvingNeeds, text: string): Promise<RevocationTarget> {
  const level = "identity";
  const listed = await revocationName(db, level, text);
  if (listed !== undefined) return { level, target: text, name: listed };
  const [, named, subject] = /^(\S+) (.+)$/s.exec(text) ?? [];
  if (named === undefined || subject === undefined)
    throw notFound(
      "An identity is named by the issuer, a space and the subject, as `sallyport audit export` shows them with certificate-issued.",
    );
  const issuer = await resolveIssuer({ db, issuers }, named);
  if (!(await isKnownIdentity(db, issuer, subject)))
    throw notFound(
      `Nobody has signed in here as ${printable(subject, 200)} of ${printable(issuer, 300)}. Subjects are compared exactly; an e-mail is none.`,
    );
  return { level, target: identityTarget(issuer, subject), name: `${issuer} ${subject}` };
}

/** Exactly as written: names that only look alike are others'. */
async function checkVendor(db: Database, name: string): Promise<string> {
  if (await isVendor(db, name)) return name;
  throw notFound(
    `There is no vendor ${printable(name, 100)}; names are compared exactly. ${await vendorsText(db)}`,
  );
}

/** Another issuer identifier of a configured IdP means that IdP: its people are known here by the first. */
async function resolveIssuer({ db, issuers }: ResolvingNeeds, text: string): Promise<string> {
  const configured = issuers.find(({ issuer, aliases }) => issuer === text || aliases.includes(text));
  if (configured !== undefined) return configured.issuer;
  if (await isKnownIssuer(db, text)) return text;
  const known = issuers.map(({ issuer }) => printable(issuer, 300)).join(", ");
  throw notFound(
    `There is no IdP ${printable(text, 300)} here; issuers are compared exactly, last slash included. Configured: ${known}.`,
  );
}

/** A key may be revoked before it was ever seen here. */
function checkFingerprint(text: string): string {
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(text)) return text;
  throw notFound("A key is named by its fingerprint as ssh-keygen -l shows it: SHA256: and 43 characters.");
}

function notFound(message: string): SallyportError {
  return new SallyportError("not-found", message);
}
