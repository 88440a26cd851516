import type { Kysely } from "kysely";

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
  created_at: number;
  expires_at: number;
}

export interface CertificatesTable {
  /** Decimal. */
  serial: string;
  member_id: string;
  issuer: string;
  subject: string;
  key_fingerprint: string;
  valid_after: number;
  valid_before: number;
  issued_at: number;
}

export interface RevocationsTable {
  sequence: number;
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

export interface Tables {
  members: MembersTable;
  identities: IdentitiesTable;
  staff_identities: StaffIdentitiesTable;
  engagements: EngagementsTable;
  engagement_members: EngagementMembersTable;
  hosts: HostsTable;
  join_tokens: JoinTokensTable;
  challenges: ChallengesTable;
  used_tokens: UsedTokensTable;
  api_tokens: ApiTokensTable;
  certificates: CertificatesTable;
  revocations: RevocationsTable;
  recordings: RecordingsTable;
  sessions: SessionsTable;
  host_events: HostEventsTable;
  audit_events: AuditEventsTable;
  audit_nodes: AuditNodesTable;
  audit_tree: AuditTreeTable;
  audit_checkpoints: AuditCheckpointsTable;
}

/** The database, or a transaction on it. Inside a transaction use only that: there is one connection. */
export type Database = Kysely<Tables>;
