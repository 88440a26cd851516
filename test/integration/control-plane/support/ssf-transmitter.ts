import { createPrivateKey, generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT } from "jose";

export const POLL_TOKEN = "poll-token-0123456789";
export const STREAM_TOKEN = "stream-token-0123456789";
const VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification";

interface Stream {
  stream_id: string;
  delivery: { method: string; endpoint_url?: string; authorization_header?: string };
  events_requested: string[];
  [more: string]: unknown;
}

/**
 * A transmitter of Security Event Tokens on loopback, as none that runs for real can be had: SSF 1.0 with push (RFC 8935) and poll
 * (RFC 8936). It holds its receiver to the standards: whatever is not as they have it stands in `violations`.
 */
export class SsfTransmitter {
  readonly url: string;
  /** What a receiver did that it must not. */
  readonly violations: string[] = [];
  /** Tokens that were polled and not yet acknowledged or refused, by jti. */
  readonly waiting = new Map<string, string>();
  readonly acknowledged: string[] = [];
  readonly refused = new Map<string, { err: string; description: string }>();
  readonly streams: Stream[] = [];
  /** What the stream's status is said to be. */
  status: { status: string; reason?: string } = { status: "enabled" };
  verifications = 0;
  /** Who was added; undefined where it tells of everybody. */
  added: string[] | undefined;
  polls = 0;
  audience = "";
  /** How long a poll is held while there is nothing, in milliseconds. */
  holdFor = 300;
  /** Called before a poll is worked on; false: the connection is cut, and nothing of it counts. */
  admitPoll: (body: { ack?: string[] }) => boolean = () => true;
  #key = signingKey("first");
  #published = [this.#key];
  readonly #delivered = new Set<string>();
  #wake: () => void = () => {};
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async start(): Promise<SsfTransmitter> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const transmitter = new SsfTransmitter(url, async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    });
    server.on("request", (request, response) => {
      transmitter.#answer(request, response).catch((error: unknown) => {
        transmitter.violations.push(String(error));
        response.destroy();
      });
    });
    return transmitter;
  }

  close(): Promise<void> {
    return this.#close();
  }

  /** A signed token: dana's session revoked just now, but for what is changed. */
  set(events: object, claims: Record<string, unknown> = {}): Promise<string> {
    const iat = Math.floor(Date.now() / 1000);
    const payload = { iss: this.url, aud: this.audience, iat, jti: randomUUID(), events, ...claims };
    return new SignJWT(payload)
      .setProtectedHeader({ typ: "secevent+jwt", alg: "ES256", kid: this.#key.kid })
      .sign(createPrivateKey(this.#key.pem));
  }

  /** Pushes a token. */
  async push(to: string, compact: string, headers: Record<string, string> = {}): Promise<PushAnswer> {
    const response = await fetch(to, {
      method: "POST",
      headers: { "content-type": "application/secevent+jwt", accept: "application/json", ...headers },
      body: compact,
    });
    const text = await response.text();
    if (response.status === 202 && text !== "") this.violations.push("202 has a body (RFC 8935 §2.2)");
    const json = response.status === 400 ? (JSON.parse(text) as PushAnswer["error"]) : undefined;
    if (response.status === 400) {
      if (!response.headers.get("content-type")?.startsWith("application/json"))
        this.violations.push("400 is not JSON (RFC 8935 §2.3)");
      if (
        Object.keys(json ?? {})
          .toSorted()
          .join() !== "description,err"
      )
        this.violations.push(`400 with ${text}`);
    }
    return { status: response.status, headers: response.headers, error: json };
  }

  /** Has a token wait for the next poll. */
  offer(compact: string): string {
    const payload = JSON.parse(Buffer.from(compact.split(".")[1] ?? "", "base64url").toString()) as {
      jti?: string;
    };
    const jti = payload.jti ?? randomUUID();
    this.waiting.set(jti, compact);
    this.#wake();
    return jti;
  }

  /** Signs with another key from now on; the old one is not published any more. */
  rotate(): void {
    this.#key = signingKey(randomUUID());
    this.#published = [this.#key];
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    const what = `${request.method} ${url.pathname}`;
    const json = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const body = await this.#bodyOf(request);
    if (what === "GET /.well-known/ssf-configuration") return json(200, this.#metadata());
    if (what === "GET /jwks") return json(200, { keys: this.#published.map(({ jwk }) => jwk) });
    if (url.pathname === "/poll") {
      if (!this.#isAuthorized(request, POLL_TOKEN)) return json(401, {});
      return this.#poll(body, request, response, json);
    }
    if (!["/stream", "/status", "/verify", "/add"].includes(url.pathname)) return json(404, {});
    if (!this.#isAuthorized(request, STREAM_TOKEN)) return json(401, {});
    switch (what) {
      case "GET /stream":
        return json(200, this.streams.map(shown));
      case "POST /stream":
        if (this.streams.length > 0) return json(409, {});
        this.streams.push(this.#newStream(body as Partial<Stream>));
        return json(201, this.streams.map(shown)[0]);
      case "PATCH /stream": {
        const stream = this.streams.find(({ stream_id }) => stream_id === (body as Stream).stream_id);
        if (stream === undefined) return json(404, {});
        Object.assign(stream, body);
        return json(200, shown(stream));
      }
      case "GET /status":
        if (url.searchParams.get("stream_id") !== this.streams[0]?.stream_id) return json(404, {});
        return json(200, { stream_id: this.streams[0]?.stream_id, ...this.status });
      case "POST /add": {
        const { stream_id, subject } = body as {
          stream_id: string;
          subject: { format: string; sub: string };
        };
        if (stream_id !== this.streams[0]?.stream_id) return json(404, {});
        if (subject.format !== "iss_sub") this.violations.push("a subject that nobody can find");
        this.added?.push(subject.sub);
        return json(200, {});
      }
      case "POST /verify": {
        const { stream_id, state } = body as { stream_id: string; state?: string };
        if (stream_id !== this.streams[0]?.stream_id) return json(404, {});
        this.verifications += 1;
        response.writeHead(204).end();
        return this.#sendVerification(stream_id, state);
      }
      default:
        return json(405, {});
    }
  }

  #metadata(): object {
    return {
      issuer: this.url,
      jwks_uri: `${this.url}/jwks`,
      delivery_methods_supported: ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"],
      configuration_endpoint: `${this.url}/stream`,
      status_endpoint: `${this.url}/status`,
      verification_endpoint: `${this.url}/verify`,
      ...(this.added === undefined
        ? { default_subjects: "ALL" }
        : { default_subjects: "NONE", add_subject_endpoint: `${this.url}/add` }),
    };
  }

  #newStream({ delivery, events_requested = [] }: Partial<Stream>): Stream {
    if (delivery?.method === "urn:ietf:rfc:8936") {
      if (delivery.endpoint_url !== undefined)
        this.violations.push("a polled stream's address is ours to say");
      delivery.endpoint_url = `${this.url}/poll`;
    } else if (delivery?.endpoint_url === undefined) this.violations.push("a pushed stream needs an address");
    return {
      ...{ stream_id: "stream-1", iss: this.url, aud: this.audience },
      ...{ delivery: delivery ?? { method: "" }, events_requested },
    };
  }

  async #sendVerification(id: string, state?: string): Promise<void> {
    const claims = { sub_id: { format: "opaque", id } };
    const compact = await this.set({ [VERIFICATION]: state === undefined ? {} : { state } }, claims);
    const { method, endpoint_url = "", authorization_header } = this.streams[0]?.delivery ?? { method: "" };
    if (method === "urn:ietf:rfc:8936") this.offer(compact);
    else
      await this.push(
        endpoint_url,
        compact,
        authorization_header === undefined ? {} : { authorization: authorization_header },
      );
  }

  /** RFC 8936 §2.2 to §2.4. */
  async #poll(
    body: unknown,
    request: IncomingMessage,
    response: ServerResponse,
    json: (status: number, body: unknown) => void,
  ): Promise<void> {
    this.polls += 1;
    const { ack = [], setErrs = {}, maxEvents, returnImmediately } = this.#checkPoll(body);
    if (!this.admitPoll({ ack })) {
      request.socket.destroy();
      return;
    }
    for (const jti of ack) {
      if (!this.#delivered.has(jti)) this.violations.push(`${jti} is acknowledged, but was never delivered`);
      if (this.waiting.delete(jti)) this.acknowledged.push(jti);
    }
    for (const [jti, error] of Object.entries(setErrs)) {
      if (!this.#delivered.has(jti)) this.violations.push(`${jti} is refused, but was never delivered`);
      if (this.waiting.delete(jti)) this.refused.set(jti, error);
    }
    if (this.waiting.size === 0 && !returnImmediately) await this.#held(response);
    const all = [...this.waiting];
    const sets = all.slice(0, maxEvents);
    for (const [jti] of sets) this.#delivered.add(jti);
    json(200, {
      sets: Object.fromEntries(sets),
      ...(sets.length < all.length ? { moreAvailable: true } : {}),
    });
  }

  #checkPoll(body: unknown): PollRequest {
    const request = body as PollRequest;
    const known = ["maxEvents", "returnImmediately", "ack", "setErrs"];
    const strange = Object.keys(request).filter((key) => !known.includes(key));
    if (strange.length > 0) this.violations.push(`a poll with ${strange.join()}`);
    if (!Number.isInteger(request.maxEvents ?? 1)) this.violations.push("maxEvents is no number");
    if (typeof (request.returnImmediately ?? false) !== "boolean")
      this.violations.push("returnImmediately is no boolean");
    if (request.ack?.some((jti) => typeof jti !== "string")) this.violations.push("ack is no list of texts");
    for (const error of Object.values(request.setErrs ?? {})) {
      if (typeof error.err !== "string" || typeof error.description !== "string")
        this.violations.push(`setErrs with ${JSON.stringify(error)}`);
    }
    return request;
  }

  /** Until there is something, the time is over, or nobody waits any more. */
  #held(response: ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.holdFor);
      response.once("close", resolve);
      const others = this.#wake;
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
        others();
      };
    });
  }

  async #bodyOf(request: IncomingMessage): Promise<unknown> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (chunks.length === 0) return {};
    if (request.headers["content-type"] !== "application/json")
      this.violations.push(`a body of ${request.headers["content-type"]}`);
    return JSON.parse(Buffer.concat(chunks).toString());
  }

  #isAuthorized(request: IncomingMessage, token: string): boolean {
    if (request.headers.authorization === `Bearer ${token}`) return true;
    this.violations.push(`${request.method} ${request.url} without the right token`);
    return false;
  }
}

/** What a push was answered with. */
export interface PushAnswer {
  status: number;
  headers: Headers;
  error: { err: string; description: string } | undefined;
}

interface PollRequest {
  ack?: string[];
  setErrs?: Record<string, { err: string; description: string }>;
  maxEvents?: number;
  returnImmediately?: boolean;
}

/** The header is not told again. */
function shown({ delivery: { authorization_header: _secret, ...delivery }, ...stream }: Stream): object {
  return { ...stream, delivery };
}

function signingKey(kid: string) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  return { kid, jwk, pem: privateKey.export({ format: "pem", type: "pkcs8" }) };
}
