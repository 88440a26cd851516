import type { Bundle, Lease } from "@sallyport/core/policy/bundle.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { identityTarget, type Revocation, type RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import type { Database } from "../database/tables.ts";

/*
 * Hosts of before some word was known refuse documents that have it: their schemas are strict. What they get is put together here,
 * and never lets more in than it would say to others.
 */

/** An entry in the words of a host that does not keep the list apart: it knows no `before`. */
export type OlderRevocation = Omit<Revocation, "before">;

/** Whom entries may mean. */
export interface OlderHostsPolicy {
  members: readonly Member[];
  engagements: readonly Engagement[];
}

const KNOWN: readonly RevocationLevel[] = ["certificate", "key", "session", "member", "engagement"];
/** Certificates that ended longer before an entry have no session any more, as good as certainly. In seconds. */
const MAX_SESSION = 30 * 86_400;
const MOST_NAMED = 500;

/** An engagement for a host that knows of no grace; of `commands` and `files` neither where it `knowsModes` not. */
export function engagementForOlderHosts(engagement: Engagement, knowsModes: boolean): Engagement {
  const { idpGrace: _grace, commands, files, ...rest } = engagement;
  return (knowsModes ? { ...rest, commands, files } : rest) as Engagement;
}

/** A bundle or lease as such a host takes it; `revocations` is the list in its words. */
export function documentForOlderHosts<T extends Bundle | Lease>(document: T): T {
  const { revocationChain: _chain, silentIssuers: _silent, ...rest } = document as Bundle;
  return rest as T;
}

/**
 * Entries in the words of older hosts. Those that mean a vendor, an identity or an IdP become entries of the members and engagements
 * that they mean now. Those that reach only earlier sign-ins become entries of the certificates of these. An entry that is followed
 * by a newer one of its target among `entries` is left out: that is how access is given back.
 */
export async function revocationsForOlderHosts(
  db: Database,
  policy: OlderHostsPolicy,
  entries: readonly Revocation[],
): Promise<OlderRevocation[]> {
  const newest = new Map(entries.map((entry) => [`${entry.level}:${entry.target}`, entry]));
  const told: OlderRevocation[] = [];
  for (const entry of newest.values()) {
    const { before, ...rest } = entry;
    if (before === null && KNOWN.includes(entry.level)) told.push(rest);
    else if (before === null) told.push(...meant(policy, entry).map((target) => ({ ...rest, ...target })));
    else
      for (const target of await certificatesBefore(db, policy, entry, before))
        told.push({ ...rest, level: "certificate", target });
  }
  return told.toSorted((a, b) => a.sequence - b.sequence);
}

/** Members, and the engagements of a vendor, that an entry of a level means that is not known to them. */
function meant(
  { members, engagements }: OlderHostsPolicy,
  entry: Revocation,
): { level: "member" | "engagement"; target: string }[] {
  const of = membersOf(members, entry).map(({ id }) => ({ level: "member" as const, target: id }));
  if (entry.level !== "vendor") return of;
  const own = engagements.filter(({ vendor }) => vendor === entry.target);
  return [...of, ...own.map(({ id }) => ({ level: "engagement" as const, target: id }))];
}

function membersOf(members: readonly Member[], { level, target }: Revocation): Member[] {
  return members.filter(({ id, vendor, identities }) => {
    if (level === "member") return id === target;
    if (level === "vendor") return vendor === target;
    if (level === "issuer") return identities.some(({ issuer }) => issuer === target);
    return (
      level === "identity" &&
      identities.some(({ issuer, subject }) => identityTarget(issuer, subject) === target)
    );
  });
}

/** Serials of the certificates of sign-ins before that moment that an entry means. */
async function certificatesBefore(
  db: Database,
  policy: OlderHostsPolicy,
  entry: Revocation,
  before: number,
): Promise<string[]> {
  const { level, target, at } = entry;
  if (level === "certificate") return [target];
  // A session's certificate is revoked with it; a key has no certificates of other sign-ins.
  if (level === "session") return [];
  const members =
    level === "engagement"
      ? policy.engagements.filter(({ id }) => id === target).flatMap((engagement) => engagement.members)
      : membersOf(policy.members, entry).map(({ id }) => id);
  if (level !== "key" && members.length === 0) return [];
  const rows = await db
    .selectFrom("certificates")
    .select(["serial", "issuer", "subject", "member_id"])
    .where("valid_before", ">", at - MAX_SESSION)
    .where(({ or, eb }) => or([eb("signed_in_at", "is", null), eb("signed_in_at", "<", before)]))
    .$if(level === "key", (query) => query.where("key_fingerprint", "=", target))
    .$if(level !== "key" && members.length <= MOST_NAMED, (query) => query.where("member_id", "in", members))
    .orderBy("serial")
    .execute();
  const wanted = new Set(members);
  return rows
    .filter(({ member_id }) => level === "key" || wanted.has(member_id))
    .filter(({ issuer }) => level !== "issuer" || issuer === target)
    .filter(({ issuer, subject }) => level !== "identity" || identityTarget(issuer, subject) === target)
    .map(({ serial }) => serial);
}
