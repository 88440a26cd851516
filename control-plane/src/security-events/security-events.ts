import { isPostgres } from "../database/write-lock.ts";
import { randomToken } from "../environment.ts";
import { RateLimit } from "../http/rate-limit.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import { StreamManager } from "./manage-stream.ts";
import { Poller } from "./poll-sets.ts";
import type { ReceivingNeeds } from "./receive-set.ts";
import { type Transmitter, transmittersOf } from "./transmitter.ts";
import { TransmitterKeys } from "./transmitter-keys.ts";

/** What one IdP may send: more than any has reason to. */
const PER_IDP = { perSecond: 200, burst: 5000 };

/** What {@link SecurityEvents} is made with; `url` is ours. */
export interface SecurityEventsNeeds extends Pick<ReceivingNeeds, "db" | "environment" | "hosts" | "checks"> {
  issuers: readonly IssuerConfiguration[];
  url: string;
}

/** The receiver of Security Event Tokens: by push, by poll, and the streams that it manages. */
export class SecurityEvents implements ReceivingNeeds {
  readonly db: ReceivingNeeds["db"];
  readonly environment: ReceivingNeeds["environment"];
  readonly hosts: ReceivingNeeds["hosts"];
  readonly checks: ReceivingNeeds["checks"];
  readonly limit: RateLimit;
  readonly transmitters: readonly Transmitter[];
  readonly keys: TransmitterKeys;
  readonly #workers: readonly { start(): void; close(): Promise<void> }[];

  constructor({ db, environment, hosts, checks, issuers, url }: SecurityEventsNeeds) {
    this.db = db;
    this.environment = environment;
    this.hosts = hosts;
    this.checks = checks;
    this.limit = new RateLimit(environment.clock, PER_IDP, "from this IdP");
    this.transmitters = transmittersOf(issuers, url);
    this.keys = new TransmitterKeys(environment, this.transmitters);
    // With SQLite nobody else can be at a stream: whoever was before is gone.
    const replica = isPostgres(db) ? randomToken(environment.random, 12) : "the only one";
    const managed = this.transmitters.filter(({ stream }) => stream?.manage === true);
    const polled = this.transmitters.filter(({ poll }) => poll !== undefined);
    this.#workers = [
      ...managed.map((one) => new StreamManager({ db, environment, url, replica }, one)),
      ...polled.map((one) => new Poller(this, one, replica)),
    ];
  }

  start(): void {
    if (this.transmitters.length > 0) this.keys.start();
    for (const worker of this.#workers) worker.start();
  }

  /** Resolves when nothing is fetched any more. */
  async close(): Promise<void> {
    this.keys.stop();
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }
}
