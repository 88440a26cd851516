import { SallyportError } from "@sallyport/core/errors.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import type { Bundle, Lease } from "@sallyport/core/policy/bundle.ts";
import { verifyBundle, verifyLease } from "@sallyport/core/policy/signed-document.ts";
import { decodeJwt } from "jose";

/** What a signed document says of the lease, and of the list that it holds with. */
export interface Statement {
  kind: "bundle" | "lease";
  jws: string;
  bundleVersion: number;
  sequence: number;
  /** Undefined: signed by a control plane that does not know of lists apart from the bundle. */
  chain: string | undefined;
  issuedAt: number;
  leaseUntil: number;
}

/** Whose documents are taken: what these keys sign for this host. */
export interface Addressee {
  hostId: string;
  policyKeys: Trust["policyKeys"];
}

/** A bundle for this host. Codes `bundle-bad-signature`, `bundle-wrong-host`. */
export async function verifyOwnBundle(jws: string, { hostId, policyKeys }: Addressee): Promise<Bundle> {
  const bundle = await verifyBundle(jws, policyKeys);
  mustBeFor(hostId, "bundle", bundle.host.id);
  return bundle;
}

/**
 * A lease for this host and the bundle that it has: neither an older one nor a newer one, that would say "go on" of a policy which
 * is not here. Codes `bundle-bad-signature`, `bundle-wrong-host`, `bundle-older`.
 */
export async function verifyOwnLease(
  jws: string,
  { hostId, policyKeys }: Addressee,
  bundleVersion: () => number | undefined,
): Promise<Statement & { lease: Lease }> {
  const lease = await verifyLease(jws, policyKeys);
  mustBeFor(hostId, "lease", lease.hostId);
  const here = bundleVersion();
  if (here !== lease.bundleVersion) {
    throw new SallyportError(
      "bundle-older",
      `The lease is for bundle ${lease.bundleVersion}, we have ${here ?? "none"}.`,
    );
  }
  return { kind: "lease", jws, ...said(lease), bundleVersion: lease.bundleVersion, lease };
}

/** What a bundle says as a lease does. */
export function ofBundle(bundle: Bundle, jws: string): Statement {
  return { kind: "bundle", jws, ...said(bundle), bundleVersion: bundle.version };
}

/** The numbers of the list that a document on the disk names; nothing is believed of it but where to look. */
export function namedSequences(jws: string): number[] {
  const { revocationSequence } = unverified(jws);
  return typeof revocationSequence === "number" ? [revocationSequence] : [];
}

/** The version that a bundle on the disk names. */
export function namedVersion(jws: string): unknown {
  return unverified(jws).version;
}

function said(document: Bundle | Lease): Pick<Statement, "sequence" | "chain" | "issuedAt" | "leaseUntil"> {
  const { revocationSequence: sequence, revocationChain: chain, issuedAt, leaseUntil } = document;
  return { sequence, chain, issuedAt, leaseUntil };
}

function mustBeFor(hostId: string, what: "bundle" | "lease", whose: string): void {
  if (whose === hostId) return;
  throw new SallyportError("bundle-wrong-host", `The ${what} is for host ${whose}, we are ${hostId}.`);
}

function unverified(jws: string): Record<string, unknown> {
  try {
    return decodeJwt(jws);
  } catch {
    return {};
  }
}
