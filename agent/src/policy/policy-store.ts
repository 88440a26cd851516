import { existsSync, readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import type { Bundle, Lease } from "@sallyport/core/policy/bundle.ts";
import type { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { Revocation, RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import { verifyBundle, verifyLease } from "@sallyport/core/policy/signed-document.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { decodeProtectedHeader } from "jose";
import { z } from "zod";
import { readNewest, writeNewest } from "./newest-policy.ts";

/**
 * The policy that this host goes by: the newest bundle that a pinned key signed, its lease, and the revocations that
 * came since. Kept on disk as it was signed, so that a restart without a control plane admits what it may. What the newest
 * was is kept beside it: an older one that was put in its place is refused, now and after a restart.
 */
export class PolicyStore {
  readonly #path: string;
  /** Revocations that were pushed and that no bundle holds yet. */
  readonly #pushedPath: string;
  readonly #newestPath: string;
  readonly #hostId: string;
  #policyKeys: Trust["policyKeys"];
  #signedBy: string | undefined;
  #signedAt = 0;
  /** What the host's own administrator takes from it, for sessions that run; the agent sets it. */
  local: () => readonly LocalPolicy[] = () => [];
  #bundle: Bundle | null = null;
  #leaseUntil = 0;
  #revocations = new RevocationIndex();
  readonly #pushed = new Map<string, Revocation>();

  constructor(path: string, hostId: string, policyKeys: Trust["policyKeys"]) {
    this.#path = path;
    this.#pushedPath = `${path}.revocations`;
    this.#newestPath = `${path}.newest`;
    this.#hostId = hostId;
    this.#policyKeys = policyKeys;
  }

  /** From now on policy is what these keys sign; what is in force stays so. */
  trust(policyKeys: Trust["policyKeys"]): void {
    this.#policyKeys = policyKeys;
  }

  /** `kid` of the key that signed the bundle on the disk. */
  get signedBy(): string | undefined {
    return this.#signedBy;
  }

  get bundle(): Bundle | null {
    return this.#bundle;
  }

  get leaseUntil(): number {
    return this.#leaseUntil;
  }

  /** When the newest document here was signed, by the control plane's clock: it is later now. Seconds; 0 for none. */
  get signedAt(): number {
    return this.#signedAt;
  }

  get revocations(): RevocationIndex {
    return this.#revocations;
  }

  /**
   * Loads what was there before a restart. A damaged or foreign bundle counts as none, and so does one that is
   * older than what this host had, and any bundle when the pushed revocations cannot be read: they might be of anybody. Codes as {@link accept}, and `message-malformed`.
   */
  async load(): Promise<void> {
    for (const entry of readPushed(this.#pushedPath)) this.#remember(entry);
    if (!existsSync(this.#path)) return;
    const [jws = "", lease] = readFileSync(this.#path, "utf8").split("\n");
    const bundle = await this.#verify(jws);
    this.#mustBeNewest(bundle, Math.max(bundle.revocationSequence, this.#revocations.sequence));
    this.#apply(bundle);
    this.#signedBy = decodeProtectedHeader(jws).kid;
    if (lease) await this.#extend(lease);
  }

  /** Takes a new bundle. Codes `bundle-bad-signature`, `bundle-wrong-host`, `bundle-older`: then nothing changes. */
  async accept(jws: string): Promise<Bundle> {
    const bundle = await this.#verify(jws);
    this.#mustBeNewest(bundle, Number.POSITIVE_INFINITY);
    // In force before it is stored: a disk that somebody has filled must not keep an older policy alive.
    this.#apply(bundle);
    writeFileDurably(this.#path, `${jws}\n`);
    this.#signedBy = decodeProtectedHeader(jws).kid;
    this.#noteNewest(bundle);
    return bundle;
  }

  /** Takes a lease for the bundle we have. Same codes as {@link accept}. */
  async renew(jws: string): Promise<Lease> {
    const lease = await this.#extend(jws);
    const [bundle = ""] = readFileSync(this.#path, "utf8").split("\n");
    writeFileDurably(this.#path, `${bundle}\n${jws}\n`);
    return lease;
  }

  /** Takes a revocation that was pushed; it only ever narrows, so the authenticated link is enough. */
  revoke(entry: Revocation): void {
    this.#remember(entry);
    // On the disk before it is acknowledged: an agent that is killed now must not forget it.
    writeFileDurably(this.#pushedPath, JSON.stringify([...this.#pushed.values()]));
    if (this.#bundle !== null) this.#noteNewest(this.#bundle);
  }

  #mustBeNewest(bundle: Bundle, revocationSequence: number): void {
    const newest = readNewest(this.#newestPath, this.#hostId);
    const version = Math.max(newest.version, this.#bundle?.version ?? 0);
    if (bundle.version < version) {
      throw new SallyportError("bundle-older", `Bundle ${bundle.version} is older than ${version}.`);
    }
    if (revocationSequence < newest.revocationSequence) {
      throw new SallyportError(
        "bundle-older",
        `Bundle ${bundle.version} has revocations up to ${revocationSequence}, and there were ${newest.revocationSequence}.`,
      );
    }
  }

  /** After the files it speaks of: a crash in between makes them newer than it says, never older. */
  #noteNewest({ version, revocationSequence }: Bundle): void {
    const pushed = [...this.#pushed.values()].map((entry) => entry.sequence);
    const sequence = Math.max(revocationSequence, ...pushed);
    writeNewest(this.#newestPath, { v: 1, hostId: this.#hostId, version, revocationSequence: sequence });
  }

  #remember(entry: Revocation): void {
    this.#pushed.set(entry.id, entry);
    this.#revocations.add(entry);
  }

  #apply(bundle: Bundle): void {
    this.#bundle = bundle;
    this.#signedAt = Math.max(this.#signedAt, bundle.issuedAt);
    this.#leaseUntil = Math.max(this.#leaseUntil, bundle.leaseUntil);
    // A bundle may have been made before a push reached us: what it does not know yet stays in force.
    for (const [id, entry] of this.#pushed)
      if (entry.sequence <= bundle.revocationSequence) this.#pushed.delete(id);
    this.#revocations = new RevocationIndex([...bundle.revocations, ...this.#pushed.values()]);
  }

  async #verify(jws: string): Promise<Bundle> {
    const bundle = await verifyBundle(jws, this.#policyKeys);
    if (bundle.host.id !== this.#hostId) {
      throw new SallyportError(
        "bundle-wrong-host",
        `The bundle is for host ${bundle.host.id}, we are ${this.#hostId}.`,
      );
    }
    return bundle;
  }

  async #extend(jws: string): Promise<Lease> {
    const lease = await verifyLease(jws, this.#policyKeys);
    if (lease.hostId !== this.#hostId) {
      throw new SallyportError(
        "bundle-wrong-host",
        `The lease is for host ${lease.hostId}, we are ${this.#hostId}.`,
      );
    }
    // Neither an older one nor a newer one: that would say "go on" of a policy that this host does not have.
    if (this.#bundle?.version !== lease.bundleVersion) {
      throw new SallyportError(
        "bundle-older",
        `The lease is for bundle ${lease.bundleVersion}, we have ${this.#bundle?.version ?? "none"}.`,
      );
    }
    this.#signedAt = Math.max(this.#signedAt, lease.issuedAt);
    this.#leaseUntil = Math.max(this.#leaseUntil, lease.leaseUntil);
    return lease;
  }
}

function readPushed(path: string): Revocation[] {
  if (!existsSync(path)) return [];
  try {
    return z.array(Revocation).parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new SallyportError("message-malformed", "The stored revocations cannot be read.", { cause });
  }
}
