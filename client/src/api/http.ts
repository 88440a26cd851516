import { SallyportError } from "@sallyport/core/errors.ts";
import { failureOf, unreachable } from "./failure.ts";

/** Longest silence of the server, in milliseconds. */
const PATIENCE_MS = 10_000;
const MAX_ERROR_BODY = 64 * 1024;

/** One request to the control plane. */
export interface ApiRequest {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Below `/api/v1`. */
  path: string;
  token?: string;
  body?: unknown;
  /** Most bytes that are read of the answer. */
  maxBytes: number;
  /** Ends the request before its own time. */
  signal?: AbortSignal;
  /** Longest silence of the server in milliseconds, where it is not 10 s. */
  patienceMs?: number;
  /** Called as the body goes out, with what has gone of how much. */
  onSent?: (bytes: number, of: number) => void;
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
  const silence = new Silence(request.patienceMs ?? PATIENCE_MS);
  try {
    const response = await fetch(new URL(`/api/v1${request.path}`, origin), {
      method: request.method,
      redirect: "error",
      signal:
        request.signal === undefined ? silence.signal : AbortSignal.any([silence.signal, request.signal]),
      headers: {
        accept: "application/json, application/octet-stream",
        ...(request.body === undefined ? {} : { "content-type": "application/json" }),
        ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
      },
      ...bodyOf(request, silence),
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

const PIECE = 64 * 1024;

/** The body of a request: at once, or in pieces where somebody wants to know how far it is. */
function bodyOf({ body, onSent }: ApiRequest, silence: Silence): Pick<RequestInit, "body" | "duplex"> {
  if (body === undefined) return {};
  const text = JSON.stringify(body);
  if (onSent === undefined) return { body: text };
  const bytes = Buffer.from(text);
  let sent = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    if (sent >= bytes.length) return controller.close();
    const piece = bytes.subarray(sent, sent + PIECE);
    sent += piece.length;
    silence.broken();
    onSent(sent, bytes.length);
    controller.enqueue(piece);
  };
  return { body: new ReadableStream<Uint8Array>({ pull }), duplex: "half" };
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

  constructor(patienceMs: number) {
    this.#timer = setTimeout(
      () => this.#controller.abort(new DOMException("silence", "TimeoutError")),
      patienceMs,
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
