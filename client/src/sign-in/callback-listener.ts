import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SallyportError } from "@sallyport/core/errors.ts";
import { callbackPage } from "./callback-page.ts";

/** The browser, back from the identity provider, waiting to be told how it went. */
export interface Callback {
  /** The address it came to, with the provider's answer in the query. */
  url: URL;
  /** Shows the last page, and returns when the browser has it. */
  answer(ok: boolean, title: string, sentence: string): Promise<void>;
}

/**
 * The loopback redirect of RFC 8252: listens on 127.0.0.1 and a port of the system's choice, for the one request that
 * brings our `state`. Anything else gets an error page and changes nothing.
 */
export class CallbackListener {
  readonly #server: Server;
  readonly redirectUri: string;

  private constructor(server: Server) {
    this.#server = server;
    this.redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  }

  /** Listens on the first of `ports` that is free, or on any where none are given. Code `sign-in-failed`. */
  static async open(ports: readonly number[] = []): Promise<CallbackListener> {
    for (const port of ports.length === 0 ? [0] : ports) {
      const listener = await CallbackListener.#listen(port);
      if (listener !== undefined) return listener;
    }
    throw new SallyportError(
      "sign-in-failed",
      `The ports for the browser's return (${ports.join(", ")}) are all in use on this machine; close what uses them, and sign in again.`,
    );
  }

  static #listen(port: number): Promise<CallbackListener | undefined> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      server.on("error", (error: NodeJS.ErrnoException) =>
        error.code === "EADDRINUSE" && port !== 0 ? resolve(undefined) : reject(error),
      );
      server.listen(port, "127.0.0.1", () => resolve(new CallbackListener(server)));
    });
  }

  /** Waits for the browser. Code `sign-in-abandoned` when it does not come in time. */
  wait(state: string, timeoutMs: number): Promise<Callback> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(abandoned(timeoutMs)), timeoutMs);
      this.#server.on("request", (request, response) => {
        const url = this.#callbackUrl(request);
        if (url === undefined) return show(response, 404, "Not found", "There is nothing here.");
        if (url.searchParams.get("state") !== state) {
          return show(
            response,
            400,
            "Not this sign-in",
            "This answer belongs to another sign-in; start again with: sallyport login",
          );
        }
        clearTimeout(timer);
        resolve({
          url,
          answer: (ok, title, sentence) => showAndWait(response, ok ? 200 : 400, title, sentence),
        });
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #callbackUrl(request: IncomingMessage): URL | undefined {
    if (request.method !== "GET" || `http://${request.headers.host}/callback` !== this.redirectUri)
      return undefined;
    const base = new URL(this.redirectUri);
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    if (path !== base.pathname) return undefined;
    base.search = query;
    return base;
  }
}

function abandoned(timeoutMs: number): SallyportError {
  const time =
    timeoutMs < 120_000 ? `${Math.round(timeoutMs / 1000)} s` : `${Math.round(timeoutMs / 60_000)} min`;
  return new SallyportError(
    "sign-in-abandoned",
    `The sign-in was not finished in the browser within ${time}; run sallyport login to start again.`,
  );
}

function show(response: ServerResponse, status: number, title: string, sentence: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    connection: "close",
  });
  response.end(callbackPage(title, sentence));
}

function showAndWait(
  response: ServerResponse,
  status: number,
  title: string,
  sentence: string,
): Promise<void> {
  return new Promise((resolve) => {
    // "close" comes after the last byte, and also when the browser has gone away before it.
    if (response.destroyed || response.closed) return resolve();
    response.on("close", resolve);
    show(response, status, title, sentence);
  });
}
