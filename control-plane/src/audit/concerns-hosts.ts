import type { AuditType } from "./audit.ts";

/** Events after which every host's bundle is what it was before. */
export const NOT_FOR_HOSTS: readonly AuditType[] = [
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

/**
 * True when an event may be news for hosts, as a new type is unless it is listed above: replicas then look whether
 * bundles have changed.
 */
export function concernsHosts(type: string): boolean {
  return !(NOT_FOR_HOSTS as readonly string[]).includes(type);
}
