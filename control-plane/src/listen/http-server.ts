import { createServer, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Configuration } from "../config/configuration.ts";
import type { Log } from "../environment.ts";
import { readTlsFiles, TlsReload } from "./tls-files.ts";

/** The server, and what keeps its certificate fresh; undefined for plain HTTP. */
export interface HttpServer {
  server: Server | TlsServer;
  tls: TlsReload | undefined;
}

/**
 * Limits on clients that are slow or send much before a route knows of it: headers within 15 s and 16 KiB, everything within
 * 60 s. Upgrades to host links are requests until they are answered.
 */
const LIMITS: ServerOptions = {
  headersTimeout: 15_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 5000,
  maxHeaderSize: 16 * 1024,
};
const MAX_HEADERS = 100;

/** Makes the server that listens: HTTPS where the configuration has certificates. Code `config-invalid`. */
export function makeHttpServer(
  { tls }: Pick<Configuration, "tls">,
  log: Log,
  limits: ServerOptions = LIMITS,
): HttpServer {
  if (tls === undefined) return { server: limited(createServer(limits)), tls: undefined };
  const material = readTlsFiles(tls);
  const server = limited(createTlsServer({ ...limits, ...material, handshakeTimeout: 10_000 }));
  return { server, tls: new TlsReload(server, tls, log, material) };
}

function limited<T extends Server | TlsServer>(server: T): T {
  server.maxHeadersCount = MAX_HEADERS;
  return server;
}
