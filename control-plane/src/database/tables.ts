import type { Generated, Kysely } from "kysely";

/*
 * The tables. Times are seconds since the epoch unless a name ends in `_ms`. Flags are 0 or 1. Columns named in JSON
 * hold JSON text. Types are chosen so that PostgreSQL holds them the same way.
 */

/** A person of a vendor. */
export interface MembersTable {
  id: string;
  name: string;
  /** Lower case; the invitation. */
  email: string | null;
  vendor: string;
  created_at: number;
  /** Name of this person's own account on hosts; null until the policy is applied. */
  account: string | null;
}

/** Identities pinned to members. */
export interface IdentitiesTable {
  issuer: string;
  subject: string;
  member_id: string;
  pinned_at: number;
}

/** Identities pinned to staff; their role stands in the configuration. */
export interface StaffIdentitiesTable {
  issuer: string;
  subject: string;
  email: string;
  pinned_at: number;
}

export interface EngagementsTable {
  id: string;
  name: string;
  vendor: string;
  hosts_json: string;
  accounts_json: string;
  mode: string;
  mfa_json: string;
  hours_json: string | null;
  sources_json: string;
  approval_json: string;
  /** Forwarding, limits, privilege, recording and accounts; what is missing has its default. */
  grants_json: string;
  contact: string;
  starts_at: number;
  ends_at: number;
  ended_at: number | null;
  ended_by: string | null;
  ended_reason: string | null;
  /** The number of its newest version; who changes it does so on condition that it is the one they read. */
  version: Generated<number>;
}

/** Every version of an engagement, as it is written in a policy file. */
export interface EngagementVersionsTable {
  engagement_id: string;
  version: number;
  at: number;
  by: string;
  why: string;
  /** Canonical. */
  engagement_json: string;
}

/** The invitation of each member: good until it expires, is withdrawn or accepted. */
export interface InvitationsTable {
  member_id: string;
  invited_at: number;
  invited_by: string;
  expires_at: number;
  accepted_at: number | null;
  withdrawn_at: number | null;
}

/** What was applied last from a source that is read at every start. */
export interface AppliedPoliciesTable {
  source: string;
  hash: string;
  applied_at: number;
}

/** Notices to people: each waits here until it was sent, is no longer good, or was given up. */
export interface NoticesTable {
  id: string;
  /** What it says to whom, so that it is said once. */
  key: string;
  /** Id of what it is about. */
  about: string;
  kind: string;
  channel: string;
  /** An e-mail address; empty for a webhook. */
  recipient: string;
  subject: string;
  text: string;
  data_json: string;
  created_at: number;
  good_until: number;
  attempts: number;
  next_attempt_at: number;
  done_at: number | null;
  /** `sent`, or why it was not. */
  outcome: string | null;
}

export interface EngagementMembersTable {
  engagement_id: string;
  member_id: string;
}

export interface HostsTable {
  id: string;
  name: string;
  address: string;
  port: number;
  labels_json: string;
  /** Ed25519 JWK `x`. */
  host_key: string;
  enrolled_at: number;
  last_seen_at: number | null;
  removed_at: number | null;
  bundle_version: number;
  bundle_hash: string;
  /** Until when it may admit without hearing from us, as far as we have signed; 0 before the first lease. */
  lease_until: Generated<number>;
  /** The highest entry of the revocation list that it has said is in force there, and when it said so. */
  revocation_sequence: Generated<number>;
  revocation_acknowledged_at: number | null;
  /** {@link HostFacts} as the host told them last. */
  facts_json: string | null;
}

export interface JoinTokensTable {
  id: string;
  secret_hash: string;
  name: string;
  address: string;
  port: number;
  labels_json: string;
  created_by: string;
  created_at: number;
  expires_at: number;
  used_at: number | null;
}

export interface ChallengesTable {
  challenge: string;
  expires_at: number;
}

/** Hashes of ID tokens that were accepted: each is good once. */
export interface UsedTokensTable {
  hash: string;
  expires_at: number;
}

/** Only hashes of tokens are kept. */
export interface ApiTokensTable {
  hash: string;
  issuer: string;
  subject: string;
  name: string;
  mfa: string;
  /** Of a sign-in its ID token's `iat`, where that is earlier. */
  created_at: number;
  expires_at: number;
  /** `sign-in`, `scoped` or `bootstrap`. */
  kind: Generated<string>;
  /** What it is listed and revoked by; null for those of sign-ins. */
  id: string | null;
  /** What its maker calls it; null for those of sign-ins. */
  label: string | null;
  /** Permissions of a scoped token. */
  scopes_json: string | null;
  /** To the minute; null before the first use. */
  last_used_at: number | null;
}

/** The groups that an IdP named somebody in at their latest sign-in. */
export interface IdentityGroupsTable {
  issuer: string;
  subject: string;
  /** Names by claim. */
  groups_json: string;
  /** `iat` of the ID token. */
  issued_at: number;
  seen_at: number;
}

export interface CertificatesTable {
  /** Decimal. */
  serial: string;
  member_id: string;
  issuer: string;
  subject: string;
  key_fingerprint: string;
  /** `iat` of the sign-in's ID token; null for those of before it was kept. */
  signed_in_at: number | null;
  valid_after: number;
  valid_before: number;
  issued_at: number;
}

export interface RevocationsTable {
  /** Who or what it is about, as people read it; null: nothing better than its target. */
  name: string | null;
  /** Of the entries of one request: id of the first. Null for that one. */
  request_id: string | null;
  sequence: number;
  /** `before` of the entry. */
  signed_in_before: number | null;
  /** `chainRevocation` at this entry. */
  chain: string;
  id: string;
  level: string;
  target: string;
  at: number;
  by: string;
  reason: string;
}

/** How far each recording is stored: what counts is here, the file may be longer after a crash. */
export interface RecordingsTable {
  session_id: string;
  host_id: string;
  next_sequence: number;
  length: number;
  head_hash: string;
  complete: number;
  raw_bytes: number;
  /** The leaf of the audit log that tells of its end. */
  leaf_index: number | null;
  /** Where its bytes are: null is the directory, `objects` is object storage. */
  storage: string | null;
  /** When its last block was stored, by our clock; what retention counts from. */
  completed_at: number | null;
  /** When it was decided that its bytes go, and by what: `retention`. */
  deleted_at: number | null;
  deleted_by: string | null;
  /** When they were gone. */
  removed_at: number | null;
  /** When the objects of a complete recording were made into few. */
  tidied_at: number | null;
}

/** Objects that hold a recording which is in object storage: only what is listed here counts. */
export interface RecordingPartsTable {
  session_id: string;
  /** Place of its first byte in the recording. */
  start: number;
  length: number;
  /** Sequence of its first block; a part holds whole blocks. */
  first_sequence: number;
  /** Its key in the bucket. */
  name: string;
}

/** What keeps recordings from being deleted, until it is lifted. */
export interface RecordingHoldsTable {
  id: string;
  /** `session`, `engagement` or `vendor`. */
  level: string;
  /** Id of a session or an engagement, name of a vendor. */
  target: string;
  /** The target as people call it. */
  name: string;
  reason: string;
  placed_by: string;
  placed_at: number;
  lifted_by: string | null;
  lifted_at: number | null;
}

/** One-time codes that open the web page, by their hash. */
export interface WebCodesTable {
  hash: string;
  /** Of the API token that asked for it. */
  token_hash: string;
  expires_at: number;
}

/** Sign-ins of browsers to the web page, by the hash of their cookie. Each stands and falls with an API token. */
export interface WebSessionsTable {
  hash: string;
  token_hash: string;
  expires_at: number;
}

export interface SessionsTable {
  id: string;
  host_id: string;
  host_name: string;
  account: string;
  member_id: string;
  member_name: string;
  issuer: string;
  subject: string;
  engagement_id: string;
  engagement_name: string;
  kind: string;
  command: string | null;
  source_address: string | null;
  certificate_serial: string;
  started_at_ms: number;
  ended_at_ms: number | null;
  exit_status: number | null;
  signal: string | null;
  end_reason: string | null;
  assurance: Generated<string>;
}

export interface HostEventsTable {
  id: string;
  host_id: string;
  at_ms: number;
  type: string;
  issuer: string | null;
  subject: string | null;
  certificate_serial: string | null;
  event_json: string;
  received_at: number;
}

/** Each event is a leaf of the audit log's Merkle tree; the leaf is made from the row. */
export interface AuditEventsTable {
  leaf_index: number;
  id: string;
  at_ms: number;
  type: string;
  actor: string;
  /** Canonical. */
  data_json: string;
}

/** Complete subtrees of the audit log's Merkle tree; level 0 are the leaves' hashes. */
export interface AuditNodesTable {
  level: number;
  position: number;
  /** Base64. */
  hash: string;
}

/** One row: how many leaves the tree has. */
export interface AuditTreeTable {
  id: number;
  size: number;
}

/** Every checkpoint that was signed. */
export interface AuditCheckpointsTable {
  origin: string;
  size: number;
  note: string;
  signed_at: number;
}

/** How far each stream of the audit log was delivered, and which replica is at it. */
export interface AuditStreamsTable {
  name: string;
  /** The first leaf that is not known to be delivered. */
  next_leaf: number;
  claimed_by: string | null;
  claimed_until_ms: number;
}

/** Who asked for an approval, and what became of it. */
export interface ApprovalRequestsTable {
  id: string;
  engagement_id: string;
  /** Null where it is for the whole engagement. */
  member_id: string | null;
  reason: string;
  ticket: string | null;
  /** The host whose refusal made it; null where a person did. */
  host_id: string | null;
  /** Identity, e-mail and shown name of who asked. */
  issuer: string;
  subject: string;
  email: string | null;
  requested_by: string;
  requested_at: number;
  expires_at: number;
  /** An ApprovalState. */
  state: string;
  decided_at: number | null;
  granted_until: number | null;
  /** How many have answered. */
  answered: number;
  /** Engagement and member while it is pending, so that there is one such request; null afterwards. */
  pending_key: string | null;
}

/** One person's answer to a request. */
export interface ApprovalAnswersTable {
  request_id: string;
  issuer: string;
  subject: string;
  email: string | null;
  decision: string;
  note: string;
  at: number;
}

/** What was approved and not taken back: the one source of `approval.approved` and `approval.granted`. */
export interface ApprovalGrantsTable {
  request_id: string;
  engagement_id: string;
  /** Null where it is for the whole engagement, and so is `until`. */
  member_id: string | null;
  until: number | null;
}

/** Messages about requests that the webhook has not taken yet. */
export interface ApprovalMessagesTable {
  request_id: string;
  attempts: number;
  next_at: number;
}

/** The key of each kind that hosts trusted first, as OpenSSH writes it. */
export interface FirstKeysTable {
  kind: string;
  public_key: string;
}

/** Which key followed which, numbered from 1 for each kind; what follows has been signed by the keys themselves. */
export interface KeySuccessionsTable {
  kind: string;
  number: number;
  old_key: string;
  new_key: string;
  succession_json: string;
  retirement_json: string | null;
  begun_at: number;
  /** Since then the new key signs. */
  switched_at: number | null;
  /** Since then the old key is over. */
  finished_at: number | null;
}

/** Fingerprints of the control plane's keys that a host says it trusts. */
export interface HostPinnedKeysTable {
  host_id: string;
  keys_json: string;
  noted_at: number;
}

/** Fingerprints of the host CAs that a host's certificates are from. */
export interface HostCertifiedByTable {
  host_id: string;
  cas_json: string;
  noted_at: number;
}

/** Control planes that serve this database now. With SQLite there is one, and it is not here. */
export interface ReplicasTable {
  id: string;
  /** Seconds, by the database's clock. */
  seen_at: number;
}

/** Which replica a host is connected to. */
export interface HostLinksTable {
  host_id: string;
  replica_id: string;
  /** The host has a bundle with all changes up to this leaf of the audit log; -1: it has not said so yet. */
  bundle_leaf: number;
}

/** What hosts answered to revocations. */
export interface RevocationAcknowledgementsTable {
  sequence: number;
  host_id: string;
  ended_sessions_json: string;
  /** When it was answered, in milliseconds; 0 for those of before it was kept. */
  at_ms: Generated<number>;
}

/** What a sign-in's IdP is asked with, all the time; one for each SSH key. Secrets in it are sealed, see `keys/grant-sealing.ts`. */
export interface SignInGrantsTable {
  key_fingerprint: string;
  issuer: string;
  subject: string;
  member_id: string;
  /** The refresh token. */
  token_sealed: string;
  /** Id of the key that it is sealed with. */
  sealed_with: string;
  /** A `SignInFacts`: what a fresh ID token has to match. */
  sign_in_json: string;
  signed_in_at: number;
  /** Until when certificates are renewed with it; then it goes. */
  renewable_until: number;
  /** When the IdP last vouched for them. */
  last_answer_at_ms: number | null;
  /** Since when it does not answer about this one; null while it does. */
  failing_since_ms: number | null;
  next_check_at_ms: number;
  /** When there was last reason to ask at once. */
  hinted_at_ms: Generated<number>;
  claimed_by: string | null;
  claimed_until_ms: Generated<number>;
  /** 1 from before a question leaves until its answer is stored: the IdP may have changed the token since. */
  in_doubt: Generated<number>;
  /** Since when the token is known to be worth nothing, which says nothing about the person. */
  lost_at_ms: number | null;
  /** The ID token of the last answer, sealed. */
  fresh_sealed: string | null;
  fresh_at_ms: Generated<number>;
}

/** How it stands with asking each IdP. */
export interface IssuerStatesTable {
  issuer: string;
  answered_at_ms: number | null;
  /** When the first question was asked that got no answer; null while it answers. */
  silent_since_ms: number | null;
  /** When hosts were told that it is silent; null while they are not. */
  told_at_ms: number | null;
  /** Since the last answer. */
  failures: Generated<number>;
  back_off_until_ms: Generated<number>;
  /** What the last failure was, for people. */
  problem: string | null;
}

/** Keys that refresh tokens are sealed with; the one with the highest number seals. The keys themselves are in files. */
export interface SealingKeysTable {
  kid: string;
  number: number;
}

/** The session at the IdP (`sid` of the ID token) that a sign-in came from; sign-ins whose ID token named none are not here. */
export interface SignInSessionsTable {
  api_token_hash: string;
  issuer: string;
  subject: string;
  sid: string;
  key_fingerprint: string;
  signed_in_at: number;
}

/** Sessions that an IdP has said are over, for as long as an ID token of theirs could still be brought. */
export interface EndedIdpSessionsTable {
  issuer: string;
  sid: string;
  ended_at: number;
  expires_at: number;
}

/** Security Event Tokens that were taken: each counts once. */
export interface ReceivedSecurityEventsTable {
  /** `iss` of the token. */
  issuer: string;
  jti: string;
  received_at: number;
  /** Until then it could be taken again by its age. */
  forget_at: number;
}

/** Streams of Security Event Tokens, one for each IdP, and which replica is at it. */
export interface SecurityEventStreamsTable {
  /** The IdP's, as that of its ID tokens. */
  issuer: string;
  claimed_by: Generated<string | null>;
  claimed_until_ms: Generated<number>;
  /** The stream's id at the transmitter, where it is managed. */
  stream_id: Generated<string | null>;
  /** Where the transmitter says that a managed stream is to be polled. */
  poll_url: Generated<string | null>;
  /** `enabled`, `paused` or `disabled`, as the transmitter says. */
  status: Generated<string | null>;
  status_reason: Generated<string | null>;
  /** What the latest verification was asked for with. */
  verification_state: Generated<string | null>;
  verification_asked_at: Generated<number | null>;
  verified_at: Generated<number | null>;
  /** When the latest token came. */
  received_at: Generated<number | null>;
  /** When the transmitter answered last, to a poll or about the stream. */
  checked_at: Generated<number | null>;
  /** What is wrong, in words; null while all is well. */
  problem: Generated<string | null>;
}

/** Who was added to a stream at a transmitter that tells only of those. */
export interface SecurityEventSubjectsTable {
  issuer: string;
  stream_id: string;
  subject: string;
}

/** What IdPs have said of whether somebody may sign in, by when it happened: what comes late does not undo what is newer. */
export interface IdentityStatesTable {
  /** `identityTarget` of the person. */
  target: string;
  disabled_at: number | null;
  /** Id of the revocation by which an IdP disabled them: only that one an IdP takes back. */
  disabled_by: string | null;
  enabled_at: number | null;
}

/** Users as an IdP provisions them over SCIM. A deleted one stays, without what it said, until it comes again. */
export interface ScimUsersTable {
  id: string;
  issuer: string;
  external_id: string | null;
  user_name: string;
  /** In lower case, as are `email` and `live_name`. */
  user_name_key: string;
  /** The primary one. */
  email: string | null;
  /** These two are taken as long as the user is there: null once it is deleted. */
  live_name: string | null;
  live_external_id: string | null;
  active: number;
  deleted_at: number | null;
  /** What the IdP says of them, in the schema's spelling. */
  resource_json: string;
  /** Its ETag. */
  version: number;
  created_at_ms: number;
  changed_at_ms: number;
}

export interface ScimGroupsTable {
  id: string;
  issuer: string;
  external_id: string | null;
  display_name: string;
  /** In lower case. */
  display_key: string;
  version: number;
  created_at_ms: number;
  changed_at_ms: number;
}

export interface ScimGroupMembersTable {
  group_id: string;
  user_id: string;
}

export interface Tables {
  scim_users: ScimUsersTable;
  scim_groups: ScimGroupsTable;
  scim_group_members: ScimGroupMembersTable;
  approval_requests: ApprovalRequestsTable;
  approval_answers: ApprovalAnswersTable;
  approval_grants: ApprovalGrantsTable;
  approval_messages: ApprovalMessagesTable;
  members: MembersTable;
  identities: IdentitiesTable;
  staff_identities: StaffIdentitiesTable;
  engagements: EngagementsTable;
  engagement_members: EngagementMembersTable;
  engagement_versions: EngagementVersionsTable;
  invitations: InvitationsTable;
  applied_policies: AppliedPoliciesTable;
  notices: NoticesTable;
  hosts: HostsTable;
  join_tokens: JoinTokensTable;
  challenges: ChallengesTable;
  used_tokens: UsedTokensTable;
  api_tokens: ApiTokensTable;
  identity_groups: IdentityGroupsTable;
  certificates: CertificatesTable;
  revocations: RevocationsTable;
  recordings: RecordingsTable;
  recording_parts: RecordingPartsTable;
  recording_holds: RecordingHoldsTable;
  web_codes: WebCodesTable;
  web_sessions: WebSessionsTable;
  sessions: SessionsTable;
  host_events: HostEventsTable;
  audit_events: AuditEventsTable;
  audit_nodes: AuditNodesTable;
  audit_tree: AuditTreeTable;
  audit_checkpoints: AuditCheckpointsTable;
  replicas: ReplicasTable;
  host_links: HostLinksTable;
  revocation_acknowledgements: RevocationAcknowledgementsTable;
  first_keys: FirstKeysTable;
  key_successions: KeySuccessionsTable;
  host_pinned_keys: HostPinnedKeysTable;
  host_certified_by: HostCertifiedByTable;
  audit_streams: AuditStreamsTable;
  received_security_events: ReceivedSecurityEventsTable;
  security_event_streams: SecurityEventStreamsTable;
  security_event_subjects: SecurityEventSubjectsTable;
  identity_states: IdentityStatesTable;
  sign_in_sessions: SignInSessionsTable;
  ended_idp_sessions: EndedIdpSessionsTable;
  sign_in_grants: SignInGrantsTable;
  issuer_states: IssuerStatesTable;
  sealing_keys: SealingKeysTable;
}

/** The database, or a transaction on it. Inside a transaction use only that: there is one connection. */
export type Database = Kysely<Tables>;
