import { z } from "zod";
import { canonicalHash } from "../canonical-json.ts";
import { DisplayText, EpochSeconds, Id } from "../names.ts";

/**
 * What a revocation takes away. `certificate` is a serial in decimal, `key` a SHA256 fingerprint, `identity` the
 * {@link identityTarget} of one person at one IdP, `vendor` a name, `issuer` everything from one IdP by its issuer identifier;
 * the rest are ids.
 */
export const RevocationLevel = z.enum([
  "certificate",
  "key",
  "session",
  "member",
  "engagement",
  "identity",
  "vendor",
  "issuer",
]);
export type RevocationLevel = z.infer<typeof RevocationLevel>;

/**
 * One entry of the revocation list. `sequence` grows by one with each; a gap means entries were missed. Of several entries of one
 * level and target the newest counts: that is how access is given back.
 */
export const Revocation = z.strictObject({
  id: Id,
  sequence: z.int().min(1),
  level: RevocationLevel,
  target: z.string().min(1).max(500),
  at: EpochSeconds,
  by: DisplayText,
  reason: DisplayText,
  /**
   * Null: all of it, and nothing new either. Otherwise only what hangs on a sign-in before this moment: who signs in again has
   * access again, and what was theirs before stays gone.
   */
  before: EpochSeconds.nullable().default(null),
});
export type Revocation = z.infer<typeof Revocation>;

/** What a login or a live session is known by, for looking it up in the list. */
export interface RevocationSubject {
  certificateSerial: string;
  keyFingerprint: string;
  memberId: string;
  engagementId: string;
  issuer: string;
  subject: string;
  /** Of the member and of the engagement. */
  vendors: readonly string[];
  /** `iat` of the ID token of the sign-in, in seconds since the epoch; null where it is not known: then it counts as before everything. */
  signedInAt: number | null;
  /** Only a live session has one. */
  sessionId?: string;
}

/** How an identity is named in the list: a hash, for issuer and subject may be long. */
export function identityTarget(issuer: string, subject: string): string {
  return canonicalHash([issuer, subject]);
}

/** What the list is asked for about a login or session: every target that may stand in it, the narrowest first. */
export function revocationTargets(subject: RevocationSubject): { level: RevocationLevel; target: string }[] {
  const { certificateSerial, keyFingerprint, sessionId, memberId, engagementId, issuer } = subject;
  return [
    { level: "certificate", target: certificateSerial },
    { level: "key", target: keyFingerprint },
    ...(sessionId === undefined ? [] : [{ level: "session" as const, target: sessionId }]),
    { level: "identity", target: identityTarget(issuer, subject.subject) },
    { level: "member", target: memberId },
    { level: "engagement", target: engagementId },
    ...subject.vendors.map((target) => ({ level: "vendor" as const, target })),
    { level: "issuer", target: issuer },
  ];
}

/** Does the newest entry of a target reach what was signed in for at that moment? */
export function reaches({ before }: Pick<Revocation, "before">, signedInAt: number | null): boolean {
  return before === null || signedInAt === null || signedInAt < before;
}

/** Does an entry take at least as much as another one of its target did? Otherwise it gives something back. */
export function narrows({ before }: Pick<Revocation, "before">, known: Pick<Revocation, "before">): boolean {
  return before === null || (known.before !== null && before >= known.before);
}

/** Whatever can say which entry ends a login or session. */
export interface RevocationLookup {
  /** The entry that ends this login or session, or undefined. */
  find(subject: RevocationSubject): Revocation | undefined;
}

/** The revocation list with constant-time look-up; grows in place as entries arrive. */
export class RevocationIndex implements RevocationLookup {
  readonly #byTarget = new Map<string, Revocation>();
  #sequence = 0;

  constructor(entries: Iterable<Revocation> = []) {
    for (const entry of entries) this.add(entry);
  }

  /** The highest sequence number seen. */
  get sequence(): number {
    return this.#sequence;
  }

  /** How many targets stand in it. */
  get size(): number {
    return this.#byTarget.size;
  }

  /** Adds an entry; adding one twice, or an older one than there is for its target, changes nothing. */
  add(entry: Revocation): void {
    const key = `${entry.level}:${entry.target}`;
    const known = this.#byTarget.get(key);
    if (known === undefined || known.sequence < entry.sequence) this.#byTarget.set(key, entry);
    this.#sequence = Math.max(this.#sequence, entry.sequence);
  }

  /** Adds an entry where it takes more than the one that there is; what would give something back changes nothing. */
  narrow(entry: Revocation): void {
    const known = this.#byTarget.get(`${entry.level}:${entry.target}`);
    if (known === undefined || narrows(entry, known))
      this.#byTarget.set(`${entry.level}:${entry.target}`, entry);
    this.#sequence = Math.max(this.#sequence, entry.sequence);
  }

  /** The entries that count: one for each target. */
  entries(): Iterable<Revocation> {
    return this.#byTarget.values();
  }

  /** Forgets what this holds for. */
  drop(holds: (entry: Revocation) => boolean): void {
    for (const [key, entry] of this.#byTarget) if (holds(entry)) this.#byTarget.delete(key);
  }

  /** The entry that ends this login or session, or undefined. */
  find(subject: RevocationSubject): Revocation | undefined {
    for (const { level, target } of revocationTargets(subject)) {
      const entry = this.#byTarget.get(`${level}:${target}`);
      if (entry !== undefined && reaches(entry, subject.signedInAt)) return entry;
    }
    return undefined;
  }
}
