import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { isSafeUrl } from "../config/loopback.ts";

const TIMEOUT_MS = 10_000;
const MAX_ANSWER = 512 * 1024;
const MAX_TOKEN = 16_384;

/** One request to an IdP. */
export interface TransmitterCall {
  method: "GET" | "POST" | "PATCH";
  url: string;
  /** The value of `Authorization`. */
  authorization?: string | undefined;
  /** Sent as JSON. */
  body?: unknown;
  timeoutMs?: number;
  maxBytes?: number;
  /** Ends the request early. */
  signal?: AbortSignal | undefined;
}

/** What an IdP answered: its status, and its body as JSON where it is that. */
export interface TransmitterAnswer {
  status: number;
  json: unknown;
}

/**
 * Calls an IdP: no redirects, 10 s and 512 KiB at most where the call says nothing else. Code `issuer-unreachable` where there
 * is no whole answer; its text has neither the token nor what was sent.
 */
export async function callTransmitter(call: TransmitterCall): Promise<TransmitterAnswer> {
  const { method, url, authorization, body, timeoutMs = TIMEOUT_MS, maxBytes = MAX_ANSWER, signal } = call;
  if (!isSafeUrl(url)) throw unreachable(url, "is not https");
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      method,
      headers: {
        accept: "application/json",
        ...(authorization === undefined ? {} : { authorization }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "error",
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const text = await limitedText(response, url, maxBytes);
    return { status: response.status, json: isJson(response) ? JSON.parse(text) : undefined };
  } catch (cause) {
    throw cause instanceof SallyportError ? cause : unreachable(url, "gave no whole answer", cause);
  }
}

/**
 * An address that an IdP named itself: https, or http on this machine where the IdP is there too, so that nobody's metadata
 * leads to what listens here. Code `issuer-unreachable`.
 */
export function namedUrl(value: unknown, from: string): string {
  const isPlain = new URL(from).protocol === "http:";
  if (typeof value === "string" && value.length <= 2000 && URL.canParse(value)) {
    if (new URL(value).protocol === "https:" || (isPlain && isSafeUrl(value))) return value;
  }
  throw unreachable(from, "names an address that is not https");
}

/** `Bearer` and the token in a file, read each time so that a new one needs no restart. Code `config-invalid`. */
export function bearerOf(file: string | null | undefined): string | undefined {
  return file == null ? undefined : `Bearer ${secretIn(file)}`;
}

/** The text of a file without the line's end; it may stand in a header. Code `config-invalid`. */
export function secretIn(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new SallyportError("config-invalid", `The token in ${file} cannot be read.`, { cause });
  }
  if (/^[!-~]+(?: [!-~]+)*$/.test(text) && text.length <= MAX_TOKEN) return text;
  throw new SallyportError("config-invalid", `The token in ${file} is empty, too long or not plain ASCII.`);
}

function isJson(response: Response): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(response.headers.get("content-type") ?? "");
}

async function limitedText(response: Response, url: string, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw unreachable(url, `sent more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function unreachable(url: string, what: string, cause?: unknown): SallyportError {
  const host = URL.canParse(url) ? new URL(url).host : "an address of the IdP";
  return new SallyportError("issuer-unreachable", `${host} ${what}.`, { cause });
}
