import { canonicalHash } from "@sallyport/core/canonical-json.ts";
import type { Bundle, Lease } from "@sallyport/core/policy/bundle.ts";
import { signDocument } from "@sallyport/core/policy/signed-document.ts";
import { listEngagements } from "../database/engagements.ts";
import { type Host, versionForContent } from "../database/hosts.ts";
import { listMembers } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import { listRevocations, revocationSequence } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import { type Clock, seconds } from "../environment.ts";
import type { Keys } from "../keys/keys.ts";
import { bundleContent } from "./bundle-content.ts";

/** What {@link Bundles} needs. `lease` in seconds. */
export interface BundlesNeeds {
  db: Database;
  clock: Clock;
  policyKey: Keys["policy"];
  lease: number;
}

/** A signed bundle, and what it is known by. */
export interface SignedBundle {
  version: number;
  revocationSequence: number;
  jws: string;
}

/** Makes and signs bundles and leases. */
export class Bundles {
  readonly #needs: BundlesNeeds;

  constructor(needs: BundlesNeeds) {
    this.#needs = needs;
  }

  /**
   * The bundle of this host as of now, with a fresh lease. Its version is above `newerThan` where the content changed
   * since, and never below: a host refuses a lower version, also after our database was restored from a backup.
   */
  async current(host: Host, hostHas = 0): Promise<SignedBundle> {
    const now = seconds(this.#needs.clock);
    const { content, version } = await inTransaction(this.#needs.db, async (db) => {
      const [members, engagements, revocations] = [
        await listMembers(db),
        await listEngagements(db),
        await listRevocations(db),
      ];
      const content = bundleContent(host, { members, engagements, revocations }, now);
      return { content, version: await versionForContent(db, host.id, canonicalHash(content), hostHas) };
    });
    const bundle: Bundle = { v: 1, ...content, version, issuedAt: now, leaseUntil: now + this.#needs.lease };
    const { kid, privateKey } = this.#needs.policyKey;
    const jws = await signDocument(bundle, "sallyport-bundle", kid, privateKey);
    return { version, revocationSequence: content.revocationSequence, jws };
  }

  /** Prolongs the lease of the bundle that the host has. */
  async lease(hostId: string, bundleVersion: number): Promise<string> {
    const now = seconds(this.#needs.clock);
    const sequence = await revocationSequence(this.#needs.db);
    const lease: Lease = {
      v: 1,
      hostId,
      bundleVersion,
      revocationSequence: sequence,
      issuedAt: now,
      leaseUntil: now + this.#needs.lease,
    };
    return signDocument(
      lease,
      "sallyport-lease",
      this.#needs.policyKey.kid,
      this.#needs.policyKey.privateKey,
    );
  }
}
