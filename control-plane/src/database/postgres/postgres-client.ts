import pg from "pg";

/** A connection that is closed once it did not answer, rather than given to the next query. */
export class PostgresClient extends pg.Client {
  /** Lets the process end although this connection is open; pg has it, its types do not. */
  declare unref: () => void;

  constructor(config?: string | pg.ClientConfig) {
    super(config);
    // Between two queries of a transaction nobody listens: without this the loss of a connection would end the process.
    this.on("error", () => {});
  }

  // pg has a dozen overloads; a promise comes back where no callback goes in, which is how Kysely calls it.
  override query(...args: unknown[]): never {
    const result: unknown = Reflect.apply(super.query, this, args.map(withoutNul));
    if (result instanceof Promise) {
      result.catch((error: unknown) => {
        if (error instanceof Error && error.message === "Query read timeout") this.#cut();
      });
    }
    return result as never;
  }

  #cut(): void {
    (this as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }
}

/** PostgreSQL's text cannot hold U+0000: U+FFFD stands for it, as for everything else that is no text. */
function withoutNul(argument: unknown): unknown {
  if (!Array.isArray(argument)) return argument;
  return argument.map((value: unknown) =>
    typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", "\ufffd") : value,
  );
}
