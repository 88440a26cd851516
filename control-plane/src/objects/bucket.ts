import { createHash } from "node:crypto";
import { S3mini } from "s3mini";
import type { ObjectsLocation } from "./objects-url.ts";

/** Most bytes that are asked for at once; and how long the store may take for them, in milliseconds. */
const PORTION = 1024 * 1024;
const PATIENCE = 30_000;
const MAX_LIST = 4 * 1024 * 1024;

/** One bucket of an S3-compatible store. Errors of it say what the store said, and nothing that is secret. */
export class Bucket {
  readonly #client: S3mini;
  readonly #prefix: string;

  constructor({ prefix, ...location }: ObjectsLocation) {
    this.#prefix = prefix;
    this.#client = new S3mini({ ...location, requestAbortTimeout: PATIENCE, fetch: limitedFetch });
  }

  /** Stores an object; it is durable when this resolves. Of two with one name the later stays. */
  async put(name: string, bytes: Uint8Array): Promise<void> {
    // The signature does not cover the bytes, so that they have a sum of their own, which the store compares.
    const sum = { "content-md5": createHash("md5").update(bytes).digest("base64") };
    const type = "application/vnd.sallyport.recording";
    await this.#guard(() =>
      this.#client.putObject(this.#prefix + name, bytes, type, undefined, sum, bytes.length),
    );
  }

  /** Bytes `from` to `to` (exclusive) of an object, in pieces; fewer where it is shorter, none where it is not there. */
  async *read(name: string, from: number, to: number): AsyncGenerator<Uint8Array> {
    for (let at = from; at < to; ) {
      const end = Math.min(to, at + PORTION);
      const piece = await this.#guard(async () => {
        const response = await this.#client.getObjectRaw(this.#prefix + name, false, at, end);
        return Buffer.from(await response.arrayBuffer());
      }).catch((error: unknown) => {
        if (error instanceof StoreError && (error.status === 404 || error.status === 416))
          return Buffer.alloc(0);
        throw error;
      });
      // A store that does not know ranges sends the whole, which is not what was asked for.
      if (piece.length > end - at) throw new StoreError("the object store ignores ranges");
      if (piece.length === 0) return;
      yield piece;
      at += piece.length;
    }
  }

  /** Removes an object; done when it is not there. */
  async remove(name: string): Promise<void> {
    await this.#guard(() => this.#client.deleteObject(this.#prefix + name));
  }

  /** Names that begin with `start`, at most `limit`. */
  async list(start: string, limit: number): Promise<string[]> {
    const page = await this.#guard(() => this.#client.listObjectsPaged("/", this.#prefix + start, limit));
    return (page?.objects ?? []).map(({ Key }) => Key.slice(this.#prefix.length));
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** What went wrong with the store. Its own error holds the whole answer, in which some put the access key: it is left behind. */
class StoreError extends Error {
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.name = "StoreError";
    this.status = status;
  }
}

function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { status, serviceCode, code, name } = error as Record<string, unknown>;
  if (typeof status === "number")
    return new StoreError(`the object store answered ${status} ${word(serviceCode)}`.trimEnd(), status);
  if (name === "TimeoutError" || name === "AbortError")
    return new StoreError("the object store does not answer");
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined)?.code : undefined;
  return new StoreError(`the object store cannot be reached ${word(code ?? cause)}`.trimEnd());
}

function word(value: unknown): string {
  return typeof value === "string" && /^[A-Za-z0-9_.-]{1,64}$/.test(value) ? `(${value})` : "";
}

/** No redirects, which would take the signature elsewhere; and no answer longer than any that is asked for. */
const limitedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, redirect: "error" });
  let length = 0;
  const limited = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        length += chunk.length;
        if (length > MAX_LIST) controller.error(new StoreError("the object store answers without end"));
        else controller.enqueue(chunk);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(limited ?? null, { status, statusText, headers });
};
