import { canonicalHash } from "@sallyport/core/canonical-json.ts";
import type { Bundle, Lease } from "@sallyport/core/policy/bundle.ts";
import { signDocument } from "@sallyport/core/policy/signed-document.ts";
import { listEngagements } from "../database/engagements.ts";
import { type Host, noteLeases, versionsForContents } from "../database/hosts.ts";
import { listMembers } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import { listRevocations, type RevocationHead, revocationHead } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import { type Clock, seconds } from "../environment.ts";
import type { Keys } from "../keys/keys.ts";
import { ALL_WORDS, bundleContent, type HostWords, versionedContent } from "./bundle-content.ts";
import { documentForOlderHosts, revocationsForOlderHosts } from "./for-older-hosts.ts";
import { InTurns } from "./in-turns.ts";

/** What {@link Bundles} needs. `lease` in seconds. */
export interface BundlesNeeds {
  db: Database;
  clock: Clock;
  keys: Pick<Keys, "policy">;
  lease: number;
  /** The IdPs that do not answer, as hosts are to be told; none where this is left out. */
  silentIssuers?: () => Promise<Bundle["silentIssuers"]> | Bundle["silentIssuers"];
}

/** A signed lease, and the number up to which its host needs the revocation list for it to count. */
export interface SignedLease {
  revocationSequence: number;
  jws: string;
}

/** A signed bundle, and what it is known by. */
export interface SignedBundle extends SignedLease {
  version: number;
}

/** Hosts whose bundles are made of one reading of the policy: a fleet that connects at once does not stop the rest. */
const AT_ONCE = 100;

interface AskedBundle {
  host: Host;
  hostHas: number;
  words: HostWords;
}

interface AskedLease {
  hostId: string;
  bundleVersion: number;
  words: HostWords;
}

/** Makes and signs bundles and leases. */
export class Bundles {
  readonly #needs: BundlesNeeds;
  readonly #bundles = new InTurns((asked: readonly AskedBundle[]) => this.#makeBundles(asked), AT_ONCE);
  readonly #leases = new InTurns((asked: readonly AskedLease[]) => this.#makeLeases(asked), AT_ONCE);

  constructor(needs: BundlesNeeds) {
    this.#needs = needs;
  }

  /**
   * The bundle of this host as of now, with a fresh lease. Its version is above `hostHas` where the content changed
   * since, and never below: a host refuses a lower version, also after our database was restored from a backup. `words` as in
   * {@link bundleContent}.
   */
  current(host: Host, hostHas = 0, words = ALL_WORDS): Promise<SignedBundle> {
    return this.#bundles.ask({ host, hostHas, words });
  }

  /** Prolongs the lease of the bundle that the host has. */
  lease(hostId: string, bundleVersion: number, words = ALL_WORDS): Promise<SignedLease> {
    return this.#leases.ask({ hostId, bundleVersion, words });
  }

  async #makeBundles(asked: readonly AskedBundle[]): Promise<Promise<SignedBundle>[]> {
    const now = seconds(this.#needs.clock);
    const leaseUntil = now + this.#needs.lease;
    const silentIssuers = (await this.#needs.silentIssuers?.()) ?? [];
    const made = await inTransaction(this.#needs.db, async (db) => {
      const [members, engagements, head] = [
        await listMembers(db),
        await listEngagements(db),
        await revocationHead(db),
      ];
      const policy = { members, engagements, head, silentIssuers };
      const isOlder = asked.some(({ words }) => !words.revocations);
      const olderRevocations = isOlder
        ? await revocationsForOlderHosts(db, policy, await listRevocations(db))
        : [];
      const contents = asked.map(({ host, words }) =>
        bundleContent(host, { ...policy, olderRevocations }, now, words),
      );
      const wanted = asked.map(({ host, hostHas, words }, index) => {
        const content = contents[index];
        const hash = content === undefined ? "" : canonicalHash(versionedContent(content, words));
        return { id: host.id, hash, atLeast: hostHas };
      });
      const versions = await versionsForContents(db, wanted);
      await noteLeases(db, [...versions.keys()], leaseUntil);
      return { contents, versions };
    });
    return asked.map(async ({ host, words }, index) => {
      const [content, version] = [made.contents[index], made.versions.get(host.id)];
      if (content === undefined || version === undefined) throw new Error(`there is no host ${host.id}`);
      return this.#signBundle({ v: 1, ...content, version, issuedAt: now, leaseUntil }, words);
    });
  }

  async #signBundle(bundle: Bundle, words: HostWords): Promise<SignedBundle> {
    const { version, revocationSequence } = bundle;
    const { kid, signer } = this.#needs.keys.policy;
    const document = words.revocations ? bundle : documentForOlderHosts(bundle);
    const jws = await signDocument(document, "sallyport-bundle", kid, signer);
    return { version, revocationSequence, jws };
  }

  async #makeLeases(asked: readonly AskedLease[]): Promise<Promise<SignedLease>[]> {
    const now = seconds(this.#needs.clock);
    const leaseUntil = now + this.#needs.lease;
    const head = await inTransaction(this.#needs.db, async (db) => {
      await noteLeases(
        db,
        asked.map(({ hostId }) => hostId),
        leaseUntil,
      );
      return revocationHead(db);
    });
    return asked.map((one) => this.#signLease(one, head, { issuedAt: now, leaseUntil }));
  }

  async #signLease(
    { hostId, bundleVersion, words }: AskedLease,
    { sequence: revocationSequence, chain: revocationChain }: RevocationHead,
    times: Pick<Lease, "issuedAt" | "leaseUntil">,
  ): Promise<SignedLease> {
    const lease: Lease = { v: 1, hostId, bundleVersion, revocationSequence, revocationChain, ...times };
    const { kid, signer } = this.#needs.keys.policy;
    const document = words.revocations ? lease : documentForOlderHosts(lease);
    return { revocationSequence, jws: await signDocument(document, "sallyport-lease", kid, signer) };
  }
}
