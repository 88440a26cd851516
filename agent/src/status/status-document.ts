import { z } from "zod";

/*
 * What the running agent says of itself on `status.sock`: one JSON document per connection. Moments are ISO 8601 in
 * UTC, spans are seconds.
 */

const Moment = z.iso.datetime();
const Count = z.int().min(0);

export const StatusDocument = z.object({
  v: z.literal(1),
  version: z.string(),
  pid: z.int(),
  host: z.object({ id: z.string(), name: z.string() }),
  startedAt: Moment,
  /** Null: no policy has come yet. */
  policy: z.object({ version: z.int(), issuedAt: Moment, engagements: Count }).nullable(),
  /** How long logins may go on without word from the control plane; `seconds` is negative when it has run out. */
  lease: z.object({ until: Moment, seconds: z.number() }).nullable(),
  /** The highest revocation that is in force here. */
  revocationSequence: Count,
  /**
   * The list on this host: targets that stand in it, entries that are missing as far as is known, and entries that wait for the
   * control plane's signature before they give something back. `aside`: a lease is here and does not count, because the list is not
   * the one it names.
   */
  revocations: z.object({
    entries: Count,
    behind: Count,
    unvouched: Count,
    aside: z.object({ sequence: Count, standing: z.enum(["behind", "differs", "unknown"]) }).nullable(),
  }),
  sessions: z.array(
    z.object({
      id: z.string(),
      member: z.string(),
      engagement: z.string(),
      account: z.string(),
      kind: z.string(),
      since: Moment,
      sourceAddress: z.string().nullable(),
    }),
  ),
  /** `draining`: of another version than the agent; takes no new sessions and ends with its last. */
  recorders: z.array(z.object({ pid: z.int(), version: z.string(), sessions: Count, draining: z.boolean() })),
  spool: z.object({
    /** Bytes of the recordings that wait. */
    bytes: Count,
    /** Recordings that are not uploaded to their end, live ones too. */
    recordings: Count,
    /** Recordings that were set aside: damaged, or rejected by the control plane. */
    rejected: Count,
    freeBytes: Count,
    freeInodes: Count,
    /** Below this many free bytes nobody is admitted. */
    reserveBytes: Count,
    reserveInodes: Count,
    /** What recordings may take altogether. */
    limitBytes: Count,
  }),
  uplink: z.object({
    url: z.string(),
    connectedSince: Moment.nullable(),
    lastContact: Moment.nullable(),
    lastError: z.string().nullable(),
  }),
  /** Events that wait for the control plane, and those that were lost because there were too many. */
  outbox: z.object({ waiting: Count, dropped: Count }),
  /** Public keys of each identity provider that are at hand; with none, its people cannot log in. */
  issuers: z.array(z.object({ issuer: z.string(), keys: Count })),
  /** `skew`: how many seconds another party's clock is ahead of ours. Null: nobody looks. */
  clock: z
    .object({ setBack: z.boolean(), skew: z.array(z.object({ peer: z.string(), seconds: z.number() })) })
    .nullable(),
  /** The files of `/etc/sallyport/policy.d` that are in force, and what is wrong with others. Null: not supported. */
  localPolicy: z.object({ files: z.array(z.string()), errors: z.array(z.string()) }).nullable(),
});
export type StatusDocument = z.infer<typeof StatusDocument>;

/** A moment as the document has it; from seconds since the epoch. */
export function moment(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
