import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { HostConnections } from "./host-connections.ts";
import { CloseCode } from "./link/close-codes.ts";
import type { HostLink } from "./link/host-link.ts";
import type { OlderNews } from "./link/older-revocation-feed.ts";
import type { RevocationList } from "./link/revocation-list.ts";

/** What one host did with a revocation. */
export interface RevocationEcho {
  hostId: string;
  acknowledged: boolean;
  endedSessions: string[];
}

/** What {@link ConnectedHosts} needs. */
export interface ConnectedHostsNeeds {
  list: Pick<RevocationList, "offer" | "newest" | "lifts">;
  /** Entries in the words of hosts that do not keep the list apart. */
  older(entries: readonly Revocation[]): Promise<OlderNews["entries"]>;
}

/** The hosts that are connected to this process: one live link each. */
export class ConnectedHosts implements HostConnections {
  readonly #needs: ConnectedHostsNeeds;
  readonly #links = new Map<string, HostLink>();

  constructor(needs: ConnectedHostsNeeds) {
    this.#needs = needs;
  }

  add(link: HostLink): void {
    this.#links.get(link.host.id)?.close(CloseCode.replaced, "this host connected again");
    this.#links.set(link.host.id, link);
  }

  remove(link: HostLink): void {
    if (this.has(link)) this.#links.delete(link.host.id);
  }

  /** True while this is the link of its host. */
  has(link: HostLink): boolean {
    return this.#links.get(link.host.id) === link;
  }

  /** Tells every host of keys that follow keys, or are over. */
  tellKeys(): void {
    for (const link of this.#links.values()) void link.tellKeys();
  }

  /** How many hosts are connected. */
  get size(): number {
    return this.#links.size;
  }

  /** How many of them have not said yet that they have the whole revocation list. */
  get behind(): number {
    const { newest } = this.#needs.list;
    return [...this.#links.values()].filter((link) => link.acknowledgedRevocation < newest).length;
  }

  ids(): string[] {
    return [...this.#links.keys()];
  }

  async connected(): Promise<ReadonlySet<string>> {
    return new Set(this.#links.keys());
  }

  /** As {@link HostConnections.revoke}; what hosts have been sent already they are not sent again. */
  async revoke(entries: readonly Revocation[]): Promise<RevocationEcho[]> {
    const sequences = entries.map(({ sequence }) => sequence);
    if (sequences.length === 0) return [];
    const [first, last] = [Math.min(...sequences), Math.max(...sequences)];
    const { list } = this.#needs;
    list.offer(entries);
    let made: Promise<OlderNews> | undefined;
    const older = () => {
      made ??= this.#needs.older(entries).then((words) => ({ entries: words, last }));
      return made;
    };
    const echoes = [...this.#links.values()].map(async (link) => {
      const ended = await link.revoke({ first, last, older });
      return { hostId: link.host.id, acknowledged: ended !== undefined, endedSessions: ended ?? [] };
    });
    // Where it cannot be found out now, their next lease says it.
    this.#renewIfLifted(entries).catch(() => {});
    return Promise.all(echoes);
  }

  /** What gives access back counts on hosts only when a signed word names it. */
  async #renewIfLifted(entries: readonly Revocation[]): Promise<void> {
    if (await this.#needs.list.lifts(entries))
      for (const link of this.#links.values()) void link.renewLease();
  }

  /** As {@link HostConnections.publishBundles}; `heard` is called for each host as soon as it has its bundle. */
  async publishBundles(heard: (hostId: string) => void = () => {}): Promise<Set<string>> {
    const have = new Set<string>();
    await Promise.all(
      [...this.#links.values()].map(async (link) => {
        if (!(await link.publishBundle())) return;
        have.add(link.host.id);
        heard(link.host.id);
      }),
    );
    return have;
  }

  hintKeys(issuer: string, kid: string): void {
    for (const link of this.#links.values()) link.hintKeys(issuer, kid);
  }

  disconnect(hostId: string): void {
    this.#links.get(hostId)?.close(CloseCode.unknownHost, "this host was replaced");
  }

  /** Ends the link of a host that has connected to another replica since. */
  giveUp(hostId: string): void {
    this.#links.get(hostId)?.close(CloseCode.replaced, "this host connected again");
  }
}
