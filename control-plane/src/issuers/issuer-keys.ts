import { SallyportError } from "@sallyport/core/errors.ts";
import type { JSONWebKeySet } from "jose";
import type { Clock, Log } from "../environment.ts";
import { errorFields } from "../log.ts";
import type { IssuerConfiguration } from "./issuer-configuration.ts";

const REFRESH_MS = 15 * 60_000;
/** Least time between two fetches that unknown key ids cause: anybody can name one. */
const UNKNOWN_KID_MS = 10_000;

interface Entry {
  jwks: JSONWebKeySet | undefined;
  /** When the last fetch was begun, and the fetch itself while it runs. */
  askedAt: number;
  running: Promise<void> | undefined;
}

/** What {@link IssuerKeys} needs. `fetch` fails by throwing. */
export interface IssuerKeysNeeds {
  issuers: readonly Pick<IssuerConfiguration, "issuer" | "clientId">[];
  clock: Clock;
  log: Log;
  fetch(issuer: string, clientId: string): Promise<JSONWebKeySet>;
}

/**
 * The signing keys of every IdP: kept in memory, fetched again in the background, and at once when a token names a key
 * that is not among them (not more often than every 10 s). Old keys stay in use while an IdP is away.
 */
export class IssuerKeys {
  readonly #needs: IssuerKeysNeeds;
  readonly #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;

  constructor(needs: IssuerKeysNeeds) {
    this.#needs = needs;
    for (const { issuer } of needs.issuers) {
      this.#entries.set(issuer, { jwks: undefined, askedAt: -Infinity, running: undefined });
    }
  }

  /** Fetches all keys now and every 15 minutes; failures are logged and tried again. */
  start(): void {
    const refresh = () => this.#needs.issuers.forEach(({ issuer }) => void this.#fetch(issuer));
    refresh();
    this.#timer = setInterval(refresh, REFRESH_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The keys as they are known now. */
  known(issuer: string): JSONWebKeySet | undefined {
    return this.#entries.get(issuer)?.jwks;
  }

  /**
   * Makes sure that the key `kid` of an issuer is known if it exists. Code `issuer-unreachable` when none of its keys
   * are known; an issuer that is not configured is left to the token's checks.
   */
  async ready(issuer: string, kid: string | undefined): Promise<void> {
    const entry = this.#entries.get(issuer);
    if (entry === undefined) return;
    const isKnown = entry.jwks?.keys.some((key) => kid === undefined || key.kid === kid) ?? false;
    const mayAsk = entry.jwks === undefined || this.#needs.clock() - entry.askedAt >= UNKNOWN_KID_MS;
    if (!isKnown && (mayAsk || entry.running !== undefined)) await this.#fetch(issuer);
    if (entry.jwks === undefined) {
      throw new SallyportError(
        "issuer-unreachable",
        `The control plane cannot reach the IdP ${issuer} to check the sign-in. Try again in a minute.`,
      );
    }
  }

  #fetch(issuer: string): Promise<void> {
    const entry = this.#entries.get(issuer);
    if (entry === undefined) return Promise.resolve();
    entry.running ??= this.#fetchOnce(issuer, entry).finally(() => {
      entry.running = undefined;
    });
    return entry.running;
  }

  async #fetchOnce(issuer: string, entry: Entry): Promise<void> {
    entry.askedAt = this.#needs.clock();
    const clientId = this.#needs.issuers.find((known) => known.issuer === issuer)?.clientId ?? "";
    try {
      entry.jwks = await this.#needs.fetch(issuer, clientId);
    } catch (error) {
      const reason = errorFields(error).error;
      this.#needs.log.warn("the keys of an IdP cannot be fetched", { issuer, reason });
    }
  }
}
