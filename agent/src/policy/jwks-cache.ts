import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import type { JSONWebKeySet } from "jose";
import { z } from "zod";

/** Least pause between two refreshes of one issuer that somebody's token asked for, in milliseconds. */
const HINT_PAUSE_MS = 5_000;
const FETCH_TIMEOUT_MS = 10_000;
const MAX_DOCUMENT = 512 * 1024;
const RETRY_MS = 5_000;

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });
const Keys = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });
const Stored = z.object({ issuer: z.string(), jwks: Keys });

/**
 * The identity providers' public keys, straight from them: fetched in the background, kept on disk, asked for again
 * when a token names an unknown one. A login never waits for a fetch.
 */
export class JwksCache {
  readonly #directory: string;
  readonly #issuers: readonly string[];
  readonly #onTrouble: (message: string) => void;
  readonly #onSkew: (issuer: string, seconds: number) => void;
  readonly #keys = new Map<string, JSONWebKeySet>();
  readonly #lastTry = new Map<string, number>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `onSkew` hears with each fetch by how many seconds the provider's clock is ahead. */
  constructor(
    directory: string,
    issuers: readonly string[],
    onTrouble: (message: string) => void,
    onSkew: (issuer: string, seconds: number) => void = () => {},
  ) {
    this.#directory = directory;
    this.#issuers = issuers;
    this.#onTrouble = onTrouble;
    this.#onSkew = onSkew;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) this.#load(join(directory, name));
  }

  /** The cached keys of an issuer, or undefined. */
  get(issuer: string): JSONWebKeySet | undefined {
    return this.#keys.get(issuer);
  }

  /** Starts the background refresh; the first one begins now. */
  start(refreshSeconds: number): void {
    for (const issuer of this.#issuers) void this.#refresh(issuer);
    this.#timer = setInterval(() => {
      for (const issuer of this.#issuers) void this.#refresh(issuer);
    }, refreshSeconds * 1000);
  }

  /** A token names a key that is not cached (or the control plane says that one will come): fetch soon. */
  hint(issuer: string, kid?: string): void {
    if (!this.#issuers.includes(issuer)) return;
    if (kid !== undefined && this.#keys.get(issuer)?.keys.some((key) => key.kid === kid)) return;
    if (Date.now() - (this.#lastTry.get(issuer) ?? 0) >= HINT_PAUSE_MS) void this.#refresh(issuer);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const retry of this.#retries.values()) clearTimeout(retry);
  }

  #refresh(issuer: string): Promise<void> {
    const running =
      this.#running.get(issuer) ?? this.#fetch(issuer).finally(() => this.#running.delete(issuer));
    this.#running.set(issuer, running);
    return running;
  }

  async #fetch(issuer: string): Promise<void> {
    this.#lastTry.set(issuer, Date.now());
    try {
      const configuration = await fetchJson(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
      if (configuration.skew !== null) this.#onSkew(issuer, configuration.skew);
      const discovery = Discovery.parse(configuration.json);
      if (discovery.issuer !== issuer) throw new Error(`it calls itself ${discovery.issuer.slice(0, 200)}`);
      const jwks = Keys.parse((await fetchJson(discovery.jwks_uri)).json);
      this.#keys.set(issuer, jwks as JSONWebKeySet);
      writeFileDurably(this.#fileOf(issuer), JSON.stringify({ issuer, jwks }));
    } catch (error) {
      const reason = error instanceof Error ? error.message.slice(0, 300) : String(error);
      this.#onTrouble(`keys of ${issuer} cannot be fetched: ${reason}`);
      // Without any keys nobody gets in: do not wait for the next regular refresh.
      if (!this.#keys.has(issuer)) this.#retry(issuer);
    }
  }

  #retry(issuer: string): void {
    if (this.#stopped) return;
    clearTimeout(this.#retries.get(issuer));
    this.#retries.set(issuer, setTimeout(() => void this.#refresh(issuer), RETRY_MS).unref());
  }

  #fileOf(issuer: string): string {
    return join(this.#directory, `${createHash("sha256").update(issuer).digest("hex").slice(0, 32)}.json`);
  }

  #load(path: string): void {
    try {
      const stored = Stored.parse(JSON.parse(readFileSync(path, "utf8")));
      if (this.#issuers.includes(stored.issuer)) this.#keys.set(stored.issuer, stored.jwks as JSONWebKeySet);
    } catch {
      this.#onTrouble(`${path} is damaged and is fetched anew`);
    }
  }
}

async function fetchJson(url: string): Promise<{ json: unknown; skew: number | null }> {
  const { protocol, hostname } = new URL(url);
  const loopback = hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  if (protocol !== "https:" && !(protocol === "http:" && loopback)) throw new Error(`${url} is not https`);
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS), redirect: "error" });
  const skew = skewOf(response.headers);
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_DOCUMENT) throw new Error(`${url} is too large`);
    chunks.push(chunk);
  }
  return { json: JSON.parse(new TextDecoder().decode(Buffer.concat(chunks))), skew };
}

/** By how many seconds the server's clock is ahead, by its Date (RFC 9110 §6.6.1); a cache says how old that is. */
function skewOf(headers: Headers): number | null {
  const date = Date.parse(headers.get("date") ?? "");
  const age = Number(headers.get("age") ?? 0);
  if (Number.isNaN(date) || !(age >= 0)) return null;
  // It has whole seconds: half of one is the best guess of what is cut off.
  return (date - Date.now()) / 1000 + age + 0.5;
}
