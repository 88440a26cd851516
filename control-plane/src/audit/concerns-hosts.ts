import type { AuditType } from "./audit.ts";

/** Events after which every host's bundle is what it was before. */
const NOT_FOR_HOSTS: readonly AuditType[] = [
  "signed-in",
  "signed-out",
  "certificate-issued",
  "certificate-refused",
  "certificate-renewed",
  "token-made",
  "token-revoked",
  "web-session-begun",
  "web-session-ended",
  "notice-sent",
  "notice-not-sent",
  "revocation-acknowledged",
  "join-token-made",
  "host-event",
  "recording-complete",
  "recording-rejected",
  "recording-viewed",
  "recording-exported",
  "recording-deleted",
  "hold-placed",
  "hold-lifted",
  "audit-log-read",
];

/** Those, and events that hosts hear of by the revocation list alone. */
export const NOT_FOR_BUNDLES: readonly AuditType[] = [
  ...NOT_FOR_HOSTS,
  "revoked",
  "revocation-lifted",
  "idp-notice",
];

/**
 * True when an event may be news for hosts, as a new type is unless it is listed above: replicas then look whether
 * bundles have changed.
 */
export function concernsHosts(type: string): boolean {
  return !(NOT_FOR_HOSTS as readonly string[]).includes(type);
}
