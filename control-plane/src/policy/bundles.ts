import { canonicalHash } from "@sallyport/core/canonical-json.ts";
import type { Bundle, Lease } from "@sallyport/core/policy/bundle.ts";
import { signDocument } from "@sallyport/core/policy/signed-document.ts";
import { listEngagements } from "../database/engagements.ts";
import { type Host, versionsForContents } from "../database/hosts.ts";
import { listMembers } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import { listRevocations, revocationSequence } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import { type Clock, seconds } from "../environment.ts";
import type { Keys } from "../keys/keys.ts";
import { type BundleContent, bundleContent } from "./bundle-content.ts";

/** What {@link Bundles} needs. `lease` in seconds. */
export interface BundlesNeeds {
  db: Database;
  clock: Clock;
  keys: Pick<Keys, "policy">;
  lease: number;
}

/** A signed bundle, and what it is known by. */
export interface SignedBundle {
  version: number;
  revocationSequence: number;
  jws: string;
}

/** Hosts whose bundles are made of one reading of the policy: a fleet that connects at once does not stop the rest. */
const AT_ONCE = 100;

interface Waiting {
  host: Host;
  hostHas: number;
  knowsModes: boolean;
  resolve(bundle: SignedBundle): void;
  reject(error: unknown): void;
}

/** Makes and signs bundles and leases. */
export class Bundles {
  readonly #needs: BundlesNeeds;
  readonly #waiting: Waiting[] = [];
  #isWorking = false;

  constructor(needs: BundlesNeeds) {
    this.#needs = needs;
  }

  /**
   * The bundle of this host as of now, with a fresh lease. Its version is above `hostHas` where the content changed
   * since, and never below; `knowsModes` as in {@link bundleContent}: a host refuses a lower version, also after our database was restored from a backup.
   */
  current(host: Host, hostHas = 0, knowsModes = true): Promise<SignedBundle> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ host, hostHas, knowsModes, resolve, reject });
      if (!this.#isWorking) void this.#work();
    });
  }

  /** Whoever waits is answered from what was read after they asked; who asks meanwhile, from the next reading. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#waiting.length > 0) {
      await new Promise(setImmediate);
      const asking = this.#waiting.splice(0, AT_ONCE);
      await this.#answer(asking).catch((error: unknown) => {
        for (const { reject } of asking) reject(error);
      });
    }
    this.#isWorking = false;
  }

  async #answer(asking: readonly Waiting[]): Promise<void> {
    const now = seconds(this.#needs.clock);
    const made = await inTransaction(this.#needs.db, async (db) => {
      const [members, engagements, revocations] = [
        await listMembers(db),
        await listEngagements(db),
        await listRevocations(db),
      ];
      const contents = asking.map(({ host, knowsModes }) =>
        bundleContent(host, { members, engagements, revocations }, now, knowsModes),
      );
      const wanted = asking.map(({ host, hostHas }, index) => ({
        id: host.id,
        hash: canonicalHash(contents[index]),
        atLeast: hostHas,
      }));
      return { contents, versions: await versionsForContents(db, wanted) };
    });
    for (const [index, { host, resolve, reject }] of asking.entries()) {
      const [content, version] = [made.contents[index], made.versions.get(host.id)];
      if (content === undefined || version === undefined) reject(new Error(`there is no host ${host.id}`));
      else await this.#sign(content, version, now).then(resolve, reject);
    }
  }

  async #sign(content: BundleContent, version: number, now: number): Promise<SignedBundle> {
    const bundle: Bundle = {
      v: 1,
      silentIssuers: [],
      ...content,
      version,
      issuedAt: now,
      leaseUntil: now + this.#needs.lease,
    };
    const { kid, signer } = this.#needs.keys.policy;
    const jws = await signDocument(bundle, "sallyport-bundle", kid, signer);
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
    const { kid, signer } = this.#needs.keys.policy;
    return signDocument(lease, "sallyport-lease", kid, signer);
  }
}
