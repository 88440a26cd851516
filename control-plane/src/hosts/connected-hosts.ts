import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { CloseCode } from "./link/close-codes.ts";
import type { HostLink } from "./link/host-link.ts";

/** What one host did with a revocation. */
export interface RevocationEcho {
  hostId: string;
  acknowledged: boolean;
  endedSessions: string[];
}

/** The hosts that are connected now: one live link each. */
export class ConnectedHosts {
  readonly #links = new Map<string, HostLink>();

  /** Takes in a link; an older one of the same host is closed. */
  add(link: HostLink): void {
    this.#links.get(link.host.id)?.close(CloseCode.replaced, "this host connected again");
    this.#links.set(link.host.id, link);
  }

  /** Forgets a link, unless a newer one of its host has taken its place. */
  remove(link: HostLink): void {
    if (this.#links.get(link.host.id) === link) this.#links.delete(link.host.id);
  }

  isConnected(hostId: string): boolean {
    return this.#links.has(hostId);
  }

  /** Sends revocations to every host, in order; resolves when all have answered or after 2 s. */
  async revoke(entries: readonly Revocation[]): Promise<RevocationEcho[]> {
    return Promise.all(
      [...this.#links.values()].map(async (link) => {
        const answers = await Promise.all(entries.map((entry) => link.revoke(entry)));
        const endedSessions = [...new Set(answers.flatMap((answer) => answer ?? []))];
        return {
          hostId: link.host.id,
          acknowledged: answers.every((answer) => answer !== undefined),
          endedSessions,
        };
      }),
    );
  }

  /** Sends every host its current bundle; resolves when all have it or after 2 s, with those that have. */
  async publishBundles(): Promise<Set<string>> {
    const have = new Set<string>();
    await Promise.all(
      [...this.#links.values()].map(async (link) => {
        if (await link.publishBundle()) have.add(link.host.id);
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
}
