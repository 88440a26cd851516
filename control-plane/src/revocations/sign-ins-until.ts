import type { RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { newestSignIn, newestSignInOf } from "../database/certificates.ts";
import type { Database } from "../database/tables.ts";

/** Levels that have sign-ins: of these alone the sign-ins so far can be ended, and a revocation lifted. */
const ENDABLE = ["member", "identity", "vendor", "issuer"] as const;
export type EndableLevel = (typeof ENDABLE)[number];

/** True for a level that has sign-ins. */
export function isEndable(level: RevocationLevel): level is EndableLevel {
  return (ENDABLE as readonly RevocationLevel[]).includes(level);
}

/** Whom it reaches. */
interface Reached {
  level: EndableLevel;
  target: string;
  /** Of an identity, whose target is a hash: the issuer, a space and the subject. */
  name: string;
}

/**
 * The moment, in seconds since the epoch, before which everything counts that was signed in for until now. Sign-ins have their
 * IdP's time, which may be ahead of ours: none that a certificate was issued for may escape.
 */
export async function signInsUntil(db: Database, now: number, reached: Reached): Promise<number> {
  return Math.max(now, await newest(db, reached)) + 1;
}

async function newest(db: Database, { level, target, name }: Reached): Promise<number> {
  if (level !== "identity") return newestSignInOf(db, { level, target });
  const space = name.indexOf(" ");
  return newestSignIn(db, name.slice(0, space), name.slice(space + 1));
}
