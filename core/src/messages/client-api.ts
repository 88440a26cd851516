import { z } from "zod";
import { Assurance } from "../admission/assurance.ts";
import { Binding } from "../binding.ts";
import { DisplayText, EpochSeconds, HostName, ShortName } from "../names.ts";
import { RevocationLevel } from "../policy/revocation.ts";
import { ApprovalView } from "./approvals.ts";
import { RecordingState } from "./recordings.ts";
import { HostEffect } from "./revocations.ts";

/*
 * The HTTP API that the command line uses, under /api/v1. Bodies are JSON, at most 256 KiB. Errors are
 * {error: {code, message}} with a SallyportError code; `message` is a sentence that says what to do next.
 */

export const ApiError = z.object({
  error: z.object({ code: z.string().max(64), message: z.string().max(2000) }),
});
export type ApiError = z.infer<typeof ApiError>;

/**
 * Parameters of the authorization request that the control plane may add. None of them carries what the safety of a sign-in
 * hangs on, and none (`request`, `request_uri`, `response_mode`) can replace those that do.
 */
export const AuthorizationHint = z.enum([
  "claims",
  "prompt",
  "hd",
  "domain_hint",
  "organization",
  "connection",
  "kc_idp_hint",
  "ui_locales",
]);
export type AuthorizationHint = z.infer<typeof AuthorizationHint>;

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
      /** Not a secret: some IdPs want one of native clients as well. */
      clientSecret: z.string().max(255).nullable().default(null),
      /** Ports of the loopback redirect that are registered; empty: any will do. */
      redirectPorts: z.array(z.int().min(1024).max(65535)).max(10).default([]),
      /** More parameters of the authorization request; a client takes those of {@link AuthorizationHint}. */
      hints: z.record(z.string().max(64), z.string().max(2000)).default({}),
      /** `max_age` in seconds; null where the IdP tells no `auth_time`. */
      maxAge: z.int().min(1).nullable().default(43_200),
      /** E-mail domains whose people sign in here: a hint for the choice, and no more. */
      domains: z.array(z.string().max(253)).max(1000).default([]),
      /** Certificates are renewed with a refresh token: ask for one. */
      renewal: z.boolean().optional(),
      /**
       * Who keeps the refresh token: `control-plane` asks the IdP with it, all the time, whether the person is still theirs, and wants it
       * with the sign-in; nobody else may use it then. Left out: `client`.
       */
      refreshTokenKeeper: z.enum(["client", "control-plane"]).optional(),
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
  /** Where the control plane keeps it, see {@link ClientConfiguration}. */
  refreshToken: z.string().min(1).max(20_000).optional(),
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

const IssuedCertificate = z.object({
  line: z.string().max(100_000),
  serial: z.string(),
  validAfter: EpochSeconds,
  validBefore: EpochSeconds,
  assurance: Assurance.optional(),
});

/** Answer to `POST /certificates`. `certificate` is null for staff who are no contractors. */
export const CertificateResponse = z.object({
  v: z.literal(1),
  apiToken: z.string(),
  apiTokenExpiresAt: EpochSeconds,
  certificate: IssuedCertificate.nullable(),
  /** Until when the certificate can be renewed without the person; null where it cannot. */
  renewableUntil: EpochSeconds.nullable().default(null),
  me: Me,
});
export type CertificateResponse = z.infer<typeof CertificateResponse>;

/**
 * `POST /certificates/renew`: what the sign-in was (its ID token may have expired), a fresh ID token that the IdP gave for a
 * refresh token, and the proof that the client still holds the key.
 */
export const RenewalRequest = z.strictObject({
  v: z.literal(1),
  idToken: z.string().max(20_000),
  /** Left out where the control plane keeps the refresh token: it asks the IdP itself. */
  freshIdToken: z.string().max(20_000).optional(),
  binding: Binding,
  challenge: z.string().max(128),
  /** SSH signature blob over `proofForRenewal(…)`, base64. */
  proof: z.string().max(4096),
});
export type RenewalRequest = z.infer<typeof RenewalRequest>;

/** Answer to `POST /certificates/renew`: a certificate for the same key. */
export const RenewalResponse = z.object({
  v: z.literal(1),
  certificate: IssuedCertificate,
  renewableUntil: EpochSeconds,
  me: Me,
});
export type RenewalResponse = z.infer<typeof RenewalResponse>;

/** `DELETE /token`: `key` is the fingerprint of the SSH key of the sign-in that ends, whose certificates are renewed no more. */
export const SignOutQuery = z.strictObject({
  key: z
    .string()
    .regex(/^SHA256:[A-Za-z0-9+/]{43}$/)
    .optional(),
});

/** A session in `GET /sessions` (newest first) and `GET /sessions/{id}`. Times are seconds, possibly with a fraction. */
export const SessionSummary = z.object({
  id: z.string(),
  state: z.enum(["live", "ended"]),
  host: z.string(),
  account: z.string(),
  member: z.object({ id: z.string(), name: z.string(), issuer: z.string(), subject: z.string() }),
  engagement: z.object({ id: z.string(), name: z.string() }),
  kind: z.enum(["pty", "command", "files"]),
  command: z.string().nullable(),
  sourceAddress: z.string().nullable(),
  certificateSerial: z.string(),
  /** `brokered`: the ID token of the sign-in did not commit to the SSH key. Older control planes do not say. */
  assurance: Assurance.optional(),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  exitStatus: z.int().nullable(),
  signal: z.string().nullable(),
  endReason: z.string().nullable(),
  blocks: z.int(),
  bytes: z.int(),
  recording: RecordingState,
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
      /** With `approval-missing`: the newest request for the approval that was missing, if there is one. */
      request: ApprovalView.nullish(),
    })
    .nullable(),
});
export type LastRefusal = z.infer<typeof LastRefusal>;

/** `POST /revocations`; answered when every connected host has acknowledged or after 2 s, whichever is first. */
export const RevocationRequest = z.strictObject({
  level: RevocationLevel,
  /** As people name it: an id, a name, an e-mail, a serial, a fingerprint; for `identity` the issuer, a space and the subject. */
  target: z.string().min(1).max(800),
  reason: DisplayText.default(""),
  /** Only what hangs on sign-ins up to now: the person may sign in again. For member, identity, vendor and issuer. */
  signInsOnly: z.boolean().default(false),
});
export const RevocationResponse = z.object({
  id: z.string(),
  sequence: z.int(),
  level: z.string(),
  target: z.string(),
  /** All that were not removed. */
  hosts: z.array(HostEffect),
});
export type RevocationResponse = z.infer<typeof RevocationResponse>;

/** `POST /engagements/{name}/end`. */
export const EndEngagementRequest = z.strictObject({ reason: DisplayText.default("") });
