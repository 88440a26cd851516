import { SallyportError } from "@sallyport/core/errors.ts";
import { failureOf, unreachable } from "./failure.ts";

/** Longest silence of the server, in milliseconds. */
const PATIENCE_MS = 10_000;
const MAX_ERROR_BODY = 64 * 1024;

/** One request to the control plane. */
export interface ApiRequest {
  method: "GET" | "POST" | "DELETE";
  /** Below `/api/v1`. */
  path: string;
  token?: string;
  body?: unknown;
  /** Most bytes that are read of the answer. */
  maxBytes: number;
  /** Called as the answer arrives. */
  onProgress?: (bytes: number) => void;
}

/** A 2xx answer, read whole. */
export interface ApiAnswer {
  headers: Headers;
  body: Buffer;
}

/**
 * Sends a request and reads the answer within its limits. Codes: `server-unreachable`, `message-too-large`, and those
 * that the server answers with. Redirects are not followed: the token is for this server only.
 */
export async function callApi(origin: string, request: ApiRequest): Promise<ApiAnswer> {
  const silence = new Silence();
  try {
    const response = await fetch(new URL(`/api/v1${request.path}`, origin), {
      method: request.method,
      redirect: "error",
      signal: silence.signal,
      headers: {
        accept: "application/json, application/octet-stream",
        ...(request.body === undefined ? {} : { "content-type": "application/json" }),
        ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    const limit = response.ok ? request.maxBytes : MAX_ERROR_BODY;
    const body = await readBody(response, limit, silence, request.onProgress);
    if (!response.ok) throw failureOf(response.status, body.toString("utf8"), origin);
    return { headers: response.headers, body };
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    throw unreachable(origin, error);
  } finally {
    silence.end();
  }
}

async function readBody(
  response: Response,
  limit: number,
  silence: Silence,
  onProgress: ApiRequest["onProgress"],
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    silence.broken();
    length += piece.length;
    if (length > limit) {
      throw new SallyportError(
        "message-too-large",
        `The control plane's answer is longer than ${limit} bytes.`,
      );
    }
    pieces.push(piece);
    onProgress?.(length);
  }
  return Buffer.concat(pieces);
}

/** Aborts when nothing has arrived for a while; a long download may take its time as long as it moves. */
class Silence {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setTimeout(
      () => this.#controller.abort(new DOMException("silence", "TimeoutError")),
      PATIENCE_MS,
    );
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  broken(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
