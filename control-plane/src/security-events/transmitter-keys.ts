import { SallyportError } from "@sallyport/core/errors.ts";
import type { JSONWebKeySet } from "jose";
import { z } from "zod";
import type { Environment } from "../environment.ts";
import { fetchJwks } from "../issuers/fetch-jwks.ts";
import { IssuerKeys } from "../issuers/issuer-keys.ts";
import { callTransmitter } from "./call-transmitter.ts";
import { fetchSsfMetadata } from "./ssf-metadata.ts";
import type { Transmitter } from "./transmitter.ts";

const Jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(200) });

/** The keys of an IdP for a token, and whether they were asked for after it came. */
export interface KnownKeys {
  jwks: JSONWebKeySet;
  isFresh: boolean;
}

/** Where a SET's keys come from. Code `issuer-unreachable` while there are none. */
export interface KeySource {
  keysFor(transmitter: Transmitter, kid: string | undefined): Promise<KnownKeys>;
}

/** The signing keys of transmitters, as {@link IssuerKeys} keeps those of ID tokens: in memory, fetched outside of any transaction. */
export class TransmitterKeys implements KeySource {
  readonly #keys: IssuerKeys;
  readonly #clock: Environment["clock"];
  /** When the fetch was begun that the keys are of. */
  readonly #askedAt = new Map<string, number>();

  constructor({ clock, log }: Pick<Environment, "clock" | "log">, transmitters: readonly Transmitter[]) {
    this.#clock = clock;
    const fetch = async (iss: string) => {
      const askedAt = clock();
      const transmitter = transmitters.find((one) => one.iss === iss);
      if (transmitter === undefined) throw new TypeError("only transmitters are asked for");
      const jwks = await fetchTransmitterJwks(transmitter);
      this.#askedAt.set(iss, askedAt);
      return jwks;
    };
    const issuers = transmitters.map(({ iss, clientId }) => ({ issuer: iss, clientId }));
    this.#keys = new IssuerKeys({ issuers, clock, log, fetch });
  }

  start(): void {
    this.#keys.start();
  }

  stop(): void {
    this.#keys.stop();
  }

  async keysFor({ iss }: Transmitter, kid: string | undefined): Promise<KnownKeys> {
    const cameAt = this.#clock();
    await this.#keys.ready(iss, kid);
    const jwks = this.#keys.known(iss);
    if (jwks === undefined)
      throw new SallyportError("issuer-unreachable", "The keys of the IdP are not known.");
    return { jwks, isFresh: (this.#askedAt.get(iss) ?? -Infinity) >= cameAt };
  }
}

/** The keys that a transmitter publishes: at `jwksUri`, or where its SSF configuration says, or its OpenID discovery. */
async function fetchTransmitterJwks(transmitter: Transmitter): Promise<JSONWebKeySet> {
  const { iss, issuer, clientId } = transmitter;
  const uri = transmitter.jwksUri ?? (await fetchSsfMetadata(iss))?.jwksUri;
  if (uri === undefined) return fetchJwks(issuer, clientId);
  const { status, json } = await callTransmitter({ method: "GET", url: uri });
  const parsed = Jwks.safeParse(json);
  if (status === 200 && parsed.success) return parsed.data;
  throw new SallyportError("issuer-unreachable", `${new URL(uri).host} answered ${status} without keys.`);
}
