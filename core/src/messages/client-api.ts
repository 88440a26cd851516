import { z } from "zod";
import { Binding } from "../binding.ts";
import { DisplayText, EpochSeconds, HostName, ShortName } from "../names.ts";

/*
 * The HTTP API that the command line uses, under /api/v1. Bodies are JSON, at most 256 KiB. Errors are
 * {error: {code, message}} with a SallyportError code; `message` is a sentence that says what to do next.
 */

export const ApiError = z.object({
  error: z.object({ code: z.string().max(64), message: z.string().max(2000) }),
});
export type ApiError = z.infer<typeof ApiError>;

/** `GET /client-configuration`, no sign-in needed. */
export const ClientConfiguration = z.object({
  v: z.literal(1),
  issuers: z.array(
    z.object({
      issuer: z.url(),
      clientId: z.string(),
      scope: z.string(),
      acrValues: z.string().nullable(),
      name: DisplayText,
    }),
  ),
  /** Lines of the host CA, for known_hosts. */
  hostCaKeys: z.array(z.string()),
  /** The server's clock, so that a wrong one is noticed before a sign-in fails for it. */
  now: EpochSeconds,
});
export type ClientConfiguration = z.infer<typeof ClientConfiguration>;

/** `POST /challenges` → a challenge to sign; good once, for 10 minutes. */
export const ChallengeResponse = z.object({ challenge: z.string().max(128) });

/** `POST /certificates`: ID token, binding, and the proof that the client holds the key. */
export const CertificateRequest = z.strictObject({
  v: z.literal(1),
  idToken: z.string().max(20_000),
  binding: Binding,
  challenge: z.string().max(128),
  /** SSH signature blob over `proofOfPossession(…)`, base64. */
  proof: z.string().max(4096),
});
export type CertificateRequest = z.infer<typeof CertificateRequest>;

/** A host that the signed-in person may reach now or later, as `ssh` needs it. */
export const ReachableHost = z.object({
  name: HostName,
  address: z.string().max(255),
  port: z.int().min(1).max(65535),
  accounts: z.array(z.string()),
});
export type ReachableHost = z.infer<typeof ReachableHost>;

/** The security team and its friends: who answers for an engagement, who approves, who reads, who does everything. */
export const StaffRole = z.enum(["sponsor", "approver", "auditor", "admin"]);
export type StaffRole = z.infer<typeof StaffRole>;

export const Role = z.enum(["contractor", ...StaffRole.options]);
export type Role = z.infer<typeof Role>;

/** Who is signed in, and what hangs on it: also `GET /me`. */
export const Me = z.object({
  issuer: z.url(),
  subject: z.string(),
  name: DisplayText,
  roles: z.array(Role),
  memberId: z.string().nullable(),
  mfa: z.string(),
  hosts: z.array(ReachableHost),
  engagements: z.array(
    z.object({
      id: z.string(),
      name: ShortName,
      state: z.enum(["running", "ended", "not-started"]),
      start: EpochSeconds,
      end: EpochSeconds,
      hosts: z.array(HostName),
      accounts: z.array(z.string()),
      contact: DisplayText,
    }),
  ),
});
export type Me = z.infer<typeof Me>;

/** Answer to `POST /certificates`. `certificate` is null for staff who are no contractors. */
export const CertificateResponse = z.object({
  v: z.literal(1),
  apiToken: z.string(),
  apiTokenExpiresAt: EpochSeconds,
  certificate: z
    .object({
      line: z.string().max(100_000),
      serial: z.string(),
      validAfter: EpochSeconds,
      validBefore: EpochSeconds,
    })
    .nullable(),
  me: Me,
});
export type CertificateResponse = z.infer<typeof CertificateResponse>;

/** A session in `GET /sessions` (newest first) and `GET /sessions/{id}`. Times are seconds, possibly with a fraction. */
export const SessionSummary = z.object({
  id: z.string(),
  state: z.enum(["live", "ended"]),
  host: z.string(),
  account: z.string(),
  member: z.object({ id: z.string(), name: z.string(), issuer: z.string(), subject: z.string() }),
  engagement: z.object({ id: z.string(), name: z.string() }),
  kind: z.enum(["pty", "command"]),
  command: z.string().nullable(),
  sourceAddress: z.string().nullable(),
  certificateSerial: z.string(),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  exitStatus: z.int().nullable(),
  signal: z.string().nullable(),
  endReason: z.string().nullable(),
  blocks: z.int(),
  bytes: z.int(),
});
export type SessionSummary = z.infer<typeof SessionSummary>;

/** `GET /me/refusal`: the last login of the signed-in person that a host refused. */
export const LastRefusal = z.object({
  refusal: z
    .object({
      at: z.number(),
      host: z.string(),
      account: z.string(),
      code: z.string(),
      told: z.string().nullable(),
      detail: z.string(),
    })
    .nullable(),
});
export type LastRefusal = z.infer<typeof LastRefusal>;

/** `POST /revocations`; answered when every connected host has acknowledged or after 2 s, whichever is first. */
export const RevocationRequest = z.strictObject({
  level: z.enum(["certificate", "key", "session", "member", "engagement"]),
  target: z.string().min(1).max(255),
  reason: DisplayText.default(""),
});
export const RevocationResponse = z.object({
  id: z.string(),
  sequence: z.int(),
  level: z.string(),
  target: z.string(),
  hosts: z.array(
    z.object({ host: z.string(), acknowledged: z.boolean(), endedSessions: z.array(z.string()) }),
  ),
});
export type RevocationResponse = z.infer<typeof RevocationResponse>;

/** `POST /engagements/{name}/end`. */
export const EndEngagementRequest = z.strictObject({ reason: DisplayText.default("") });
