import { SallyportError } from "@sallyport/core/errors.ts";
import { RevocationLevel } from "@sallyport/core/policy/revocation.ts";

/** What to revoke. */
export interface RevocationTarget {
  level: RevocationLevel;
  target: string;
}

/**
 * What a bare identifier means, by its form. No two forms overlap: ids have their prefix, a serial is digits only, a
 * fingerprint has its algorithm in front, an e-mail address an @; the rest is the name of an engagement. Code `usage`.
 */
export function detectTarget(id: string): RevocationTarget {
  const level = levelOf(id);
  if (level !== undefined) return { level, target: id };
  throw new SallyportError(
    "usage",
    `${JSON.stringify(id)} is no session, member, certificate, key or engagement; say which with --session, --member, --certificate, --key or --engagement, or what else it is: --identity, --vendor, --issuer.`,
  );
}

function levelOf(id: string): RevocationLevel | undefined {
  if (/^ses_[0-9a-z]{26}$/.test(id)) return "session";
  if (/^mem_[0-9a-z]{26}$/.test(id)) return "member";
  if (/^eng_[0-9a-z]{26}$/.test(id)) return "engagement";
  if (/^[0-9]{1,20}$/.test(id)) return "certificate";
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(id)) return "key";
  if (/^[^@\s]+@[^@\s]+$/.test(id)) return "member";
  if (/^[a-z]{3}_/.test(id)) return undefined;
  return /^[a-z0-9][a-z0-9._-]{0,62}$/.test(id) ? "engagement" : undefined;
}

/** Exactly one of a bare identifier and the explicit options. Code `usage`. */
export function chooseTarget(
  id: string | undefined,
  explicit: Partial<Record<RevocationLevel, string>>,
): RevocationTarget {
  const given: RevocationTarget[] = [];
  for (const level of RevocationLevel.options) {
    const target = explicit[level];
    if (target !== undefined) given.push({ level, target });
  }
  if (id !== undefined) given.push(detectTarget(id));
  const [only, ...others] = given;
  if (only === undefined || others.length > 0)
    throw new SallyportError("usage", "Name one thing to revoke; see: sallyport revoke --help");
  return only;
}

/**
 * What to give back: a revocation by its id, or exactly one member, identity, vendor or issuer. Code `usage`.
 */
export function chooseLifting(
  id: string | undefined,
  explicit: Partial<Record<RevocationLevel, string>>,
): RevocationTarget | { id: string } {
  if (id === undefined || !/^rev_/.test(id)) return chooseTarget(id, explicit);
  if (RevocationLevel.options.some((level) => explicit[level] !== undefined))
    throw new SallyportError("usage", "Name one thing to give back; see: sallyport unrevoke --help");
  return { id };
}
