import { z } from "zod";
import { DisplayText, EpochSeconds, Id } from "../names.ts";

/** What a revocation takes away. `certificate` is a serial in decimal, `key` a SHA256 fingerprint, the rest are ids. */
export const RevocationLevel = z.enum(["certificate", "key", "session", "member", "engagement"]);
export type RevocationLevel = z.infer<typeof RevocationLevel>;

/** One entry of the revocation list. `sequence` grows by one with each; a gap means entries were missed. */
export const Revocation = z.strictObject({
  id: Id,
  sequence: z.int().min(1),
  level: RevocationLevel,
  target: z.string().min(1).max(255),
  at: EpochSeconds,
  by: DisplayText,
  reason: DisplayText,
});
export type Revocation = z.infer<typeof Revocation>;

/** What a login or a live session is known by, for looking it up in the list. */
export interface RevocationSubject {
  certificateSerial: string;
  keyFingerprint: string;
  memberId: string;
  engagementId: string;
  /** Only a live session has one. */
  sessionId?: string;
}

/** The revocation list with constant-time look-up; grows in place as entries arrive. */
export class RevocationIndex {
  readonly #byTarget = new Map<string, Revocation>();
  #sequence = 0;

  constructor(entries: Iterable<Revocation> = []) {
    for (const entry of entries) this.add(entry);
  }

  /** The highest sequence number seen. */
  get sequence(): number {
    return this.#sequence;
  }

  get size(): number {
    return this.#byTarget.size;
  }

  /** Adds an entry; adding one twice changes nothing. */
  add(entry: Revocation): void {
    this.#byTarget.set(`${entry.level}:${entry.target}`, entry);
    this.#sequence = Math.max(this.#sequence, entry.sequence);
  }

  /** The entry that ends this login or session, or undefined. */
  find(subject: RevocationSubject): Revocation | undefined {
    return (
      this.#byTarget.get(`certificate:${subject.certificateSerial}`) ??
      this.#byTarget.get(`key:${subject.keyFingerprint}`) ??
      (subject.sessionId === undefined ? undefined : this.#byTarget.get(`session:${subject.sessionId}`)) ??
      this.#byTarget.get(`member:${subject.memberId}`) ??
      this.#byTarget.get(`engagement:${subject.engagementId}`)
    );
  }
}
