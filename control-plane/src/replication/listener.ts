import pg from "pg";
import { CHANNEL, Notification } from "../database/notifications.ts";
import { PostgresClient } from "../database/postgres/postgres-client.ts";

/** Before the next attempt to connect, in milliseconds. */
const AGAIN = 500;
const PATIENCE = 5000;

/** What a {@link Listener} tells of. */
export interface Hearer {
  heard(notification: Notification): void;
  /** Notifications may have been missed before; from now on they come. */
  listening(): void;
}

/** A connection of its own that hears what other replicas tell, and is made anew whenever it is lost. */
export class Listener {
  readonly #url: string;
  readonly #hearer: Hearer;
  #client: pg.Client | undefined;
  #again: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(url: string, hearer: Hearer) {
    this.#url = url;
    this.#hearer = hearer;
  }

  /** Begins to listen; goes on trying by itself when that fails. */
  start(): void {
    const client = new PostgresClient({
      connectionString: this.#url,
      application_name: "sallyport listener",
      connectionTimeoutMillis: PATIENCE,
      query_timeout: PATIENCE,
      keepAlive: true,
    });
    this.#client = client;
    client.on("notification", ({ payload }) => this.#hear(payload));
    client.once("end", () => this.#lost(client));
    client
      .connect()
      .then(() => client.query(`listen ${pg.escapeIdentifier(CHANNEL)}`))
      .then(
        () => {
          // What serves keeps the process alive, not what listens.
          client.unref();
          this.#hearer.listening();
        },
        () => this.#lost(client),
      );
  }

  /** Makes a connection that does not answer be noticed and replaced. */
  check(): void {
    this.#client?.query("select 1").catch(() => {});
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#again);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }

  #lost(client: pg.Client): void {
    if (this.#isClosed || this.#client !== client) return;
    this.#client = undefined;
    client.end().catch(() => {});
    this.#again = setTimeout(() => this.start(), AGAIN).unref();
  }

  /** Whoever may write to the database may send anything; what is none of ours is passed over. */
  #hear(payload = ""): void {
    let json: unknown;
    try {
      json = JSON.parse(payload);
    } catch {
      return;
    }
    const { data } = Notification.safeParse(json);
    if (data !== undefined) this.#hearer.heard(data);
  }
}
