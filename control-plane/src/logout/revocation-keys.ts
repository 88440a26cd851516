import type { JSONWebKeySet } from "jose";
import type { Environment } from "../environment.ts";
import { fetchKeySet } from "../issuers/fetch-jwks.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import { IssuerKeys } from "../issuers/issuer-keys.ts";

/** The keys that requests for revocation are signed with, where they are not those of ID tokens: by the address that the configuration names. */
export class RevocationKeys {
  readonly #own: IssuerKeys;
  readonly #idTokens: Pick<IssuerKeys, "ready" | "known">;

  constructor(
    environment: Pick<Environment, "clock" | "log">,
    issuers: readonly IssuerConfiguration[],
    idTokens: Pick<IssuerKeys, "ready" | "known">,
  ) {
    const uris = issuers.flatMap(({ globalTokenRevocation }) => globalTokenRevocation?.jwksUri ?? []);
    this.#own = new IssuerKeys({
      issuers: [...new Set(uris)].map((issuer) => ({ issuer, clientId: "" })),
      ...environment,
      fetch: (uri) => fetchKeySet(new URL(uri)),
    });
    this.#idTokens = idTokens;
  }

  /** Fetches them now and every 15 minutes. */
  start(): void {
    this.#own.start();
  }

  stop(): void {
    this.#own.stop();
  }

  /** The keys for a request of this IdP, after a look for the one with this id. Code `issuer-unreachable`. */
  async keysFor(
    { issuer, globalTokenRevocation }: Pick<IssuerConfiguration, "issuer" | "globalTokenRevocation">,
    kid: string | undefined,
  ): Promise<JSONWebKeySet | undefined> {
    const uri = globalTokenRevocation?.jwksUri;
    const keys = uri === undefined ? this.#idTokens : this.#own;
    await keys.ready(uri ?? issuer, kid);
    return keys.known(uri ?? issuer);
  }
}
