import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { RevocationEcho } from "./connected-hosts.ts";
import type { HostLink } from "./link/host-link.ts";

/** The hosts that are connected, to this control plane or to another replica, and what they are to hear. */
export interface HostConnections {
  /** Takes in a link; an older one of the same host is closed. */
  add(link: HostLink): void;
  /** Forgets a link, unless a newer one of its host has taken its place. */
  remove(link: HostLink): void;
  /** Ids of all hosts that are connected now. */
  connected(): Promise<ReadonlySet<string>>;
  /** Sends stored revocations to every host, in order; resolves when all have answered or after 2 s. */
  revoke(entries: readonly Revocation[]): Promise<RevocationEcho[]>;
  /** Sends every host its current bundle; resolves when all have it or after 2 s, with those that have. */
  publishBundles(): Promise<ReadonlySet<string>>;
  /** Tells hosts that an issuer has a key that they may not know yet. */
  hintKeys(issuer: string, kid: string): void;
  /** Ends the link of a host that was removed. */
  disconnect(hostId: string): void;
}
