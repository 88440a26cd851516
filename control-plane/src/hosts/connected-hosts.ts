import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { HostConnections } from "./host-connections.ts";
import { CloseCode } from "./link/close-codes.ts";
import type { HostLink } from "./link/host-link.ts";

/** What one host did with a revocation. */
export interface RevocationEcho {
  hostId: string;
  acknowledged: boolean;
  endedSessions: string[];
}

/** The hosts that are connected to this process: one live link each. */
export class ConnectedHosts implements HostConnections {
  readonly #links = new Map<string, HostLink>();

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

  ids(): string[] {
    return [...this.#links.keys()];
  }

  async connected(): Promise<ReadonlySet<string>> {
    return new Set(this.#links.keys());
  }

  /** As {@link HostConnections.revoke}; `heard` is called for each host as soon as it has answered. */
  async revoke(
    entries: readonly Revocation[],
    heard: (echo: RevocationEcho) => void = () => {},
  ): Promise<RevocationEcho[]> {
    return Promise.all(
      [...this.#links.values()].map(async (link) => {
        const answers = await Promise.all(entries.map((entry) => link.revoke(entry)));
        const echo = {
          hostId: link.host.id,
          acknowledged: answers.every((answer) => answer !== undefined),
          endedSessions: [...new Set(answers.flatMap((answer) => answer ?? []))],
        };
        heard(echo);
        return echo;
      }),
    );
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
