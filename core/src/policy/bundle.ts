import { z } from "zod";
import { EpochSeconds, HostName, Id, ShortName } from "../names.ts";
import { Engagement, Member } from "./engagement.ts";
import { Revocation } from "./revocation.ts";

/**
 * The part of the policy that one host needs. `version` grows with every change and a host refuses a lower one;
 * `leaseUntil` says how long the host may go on admitting without hearing from the control plane.
 */
export const Bundle = z.strictObject({
  v: z.literal(1),
  host: z.strictObject({ id: Id, name: HostName, labels: z.record(ShortName, z.string().max(128)) }),
  version: z.int().min(1),
  issuedAt: EpochSeconds,
  leaseUntil: EpochSeconds,
  members: z.array(Member).max(100_000),
  engagements: z.array(Engagement).max(10_000),
  /** The whole list, for hosts that do not keep it apart; to others it is empty. */
  revocations: z.array(Revocation).max(1_000_000),
  /** The highest sequence number of the list when the bundle was made. */
  revocationSequence: z.int().min(0),
  /** `chainRevocation` at that number. The lease of this document counts only on a host that has this very list. */
  revocationChain: z.string().max(64).optional(),
  /** IdPs that have not answered since that moment: an engagement's `idpGrace` says how long logins go on. */
  silentIssuers: z
    .array(z.strictObject({ issuer: z.url(), since: EpochSeconds }))
    .max(100)
    .default([]),
});
export type Bundle = z.infer<typeof Bundle>;

/** A short signed statement that prolongs the lease of the bundle a host already has. */
export const Lease = z.strictObject({
  v: z.literal(1),
  hostId: Id,
  bundleVersion: z.int().min(1),
  revocationSequence: z.int().min(0),
  /** As in {@link Bundle}. */
  revocationChain: z.string().max(64).optional(),
  issuedAt: EpochSeconds,
  leaseUntil: EpochSeconds,
});
export type Lease = z.infer<typeof Lease>;
