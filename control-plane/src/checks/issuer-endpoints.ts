import { z } from "zod";
import type { Clock } from "../environment.ts";
import { fetchBounded } from "./fetch-bounded.ts";

const KEEP_MS = 15 * 60_000;

const Metadata = z.object({
  issuer: z.string(),
  token_endpoint: z.url(),
  introspection_endpoint: z.url().optional(),
  revocation_endpoint: z.url().optional(),
});

/** Where an IdP is asked, as it publishes it (OpenID Connect Discovery §4). */
export interface Endpoints {
  token: string;
  introspection: string | undefined;
  revocation: string | undefined;
}

/** Where each IdP is asked: fetched at need, kept for 15 minutes, and longer while it does not answer. */
export class IssuerEndpoints {
  readonly #clock: Clock;
  readonly #known = new Map<string, { endpoints: Endpoints; at: number }>();
  readonly #asking = new Map<string, Promise<Endpoints>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects only where they were never known. `timeout` in milliseconds. */
  async of(issuer: string, timeout: number): Promise<Endpoints> {
    const known = this.#known.get(issuer);
    if (known !== undefined && this.#clock() < known.at + KEEP_MS) return known.endpoints;
    const asking = this.#asking.get(issuer) ?? this.#fetch(issuer, timeout);
    if (known === undefined) return asking;
    return asking.catch(() => {
      known.at = this.#clock();
      return known.endpoints;
    });
  }

  /** What is known may be wrong: an endpoint was not there. */
  forget(issuer: string): void {
    this.#known.delete(issuer);
  }

  #fetch(issuer: string, timeout: number): Promise<Endpoints> {
    const asking = discover(issuer, timeout)
      .then((endpoints) => {
        this.#known.set(issuer, { endpoints, at: this.#clock() });
        return endpoints;
      })
      .finally(() => this.#asking.delete(issuer));
    this.#asking.set(issuer, asking);
    return asking;
  }
}

async function discover(issuer: string, timeout: number): Promise<Endpoints> {
  const { status, json } = await fetchBounded(
    `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`,
    timeout,
  );
  const parsed = Metadata.safeParse(json);
  if (status !== 200 || !parsed.success) throw new Error(`its discovery document cannot be had (${status})`);
  const found = parsed.data;
  if (found.issuer !== issuer) throw new Error("its discovery document is of another issuer");
  const endpoints = [found.token_endpoint, found.introspection_endpoint, found.revocation_endpoint];
  const isPlain = issuer.startsWith("http:");
  if (endpoints.some((url) => url !== undefined && !url.startsWith("https:") && !isPlain))
    throw new Error("its discovery document names an endpoint that is not https");
  return {
    token: found.token_endpoint,
    introspection: found.introspection_endpoint,
    revocation: found.revocation_endpoint,
  };
}
