import type { IncomingMessage, Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { HostMessage, MAX_LINK_MESSAGE, parseLinkMessage } from "@sallyport/core/messages/host-link.ts";
import { type WebSocket, WebSocketServer } from "ws";
import { hostById } from "../../database/hosts.ts";
import { randomToken } from "../../environment.ts";
import { errorFields } from "../../log.ts";
import type { HostConnections } from "../host-connections.ts";
import { checkHello, type Hello } from "./check-hello.ts";
import { CloseCode } from "./close-codes.ts";
import { HostLink, type HostLinkNeeds } from "./host-link.ts";

const PATH = "/api/v1/host-link";
const HELLO_MS = 10_000;
const MAX_HELLO = 4096;
/** Most bytes that are taken from somebody who has not signed in: the hello with its frame, and a few pings. */
const MAX_GREETING = 4 * MAX_HELLO;

/** What accepting links needs. `url` is the server's own, which hosts sign. */
export interface AcceptNeeds extends HostLinkNeeds {
  url: string;
  connected: HostConnections;
  /** Told of each block that arrives, for metrics. */
  received?: (bytes: number) => void;
}

/** Accepts host links on an HTTP server. The returned function closes all of them. */
export function acceptLinks(server: Server | TlsServer, needs: AcceptNeeds): { close(): Promise<void> } {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_LINK_MESSAGE,
    perMessageDeflate: false,
    // One message per turn of the event loop: a flood from one host leaves room for the others.
    allowSynchronousEvents: false,
  });
  server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on("error", () => stream.destroy());
    if (request.url?.split("?")[0] !== PATH) {
      stream.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => greet(socket, stream, needs));
  });
  return {
    close: async () => {
      for (const socket of sockets.clients) socket.close(CloseCode.goingAway, "the control plane stops");
      const cut = setTimeout(() => sockets.clients.forEach((socket) => void socket.terminate()), 1000);
      await Promise.all(
        [...sockets.clients].map((socket) => new Promise((resolve) => socket.once("close", resolve))),
      );
      clearTimeout(cut);
      sockets.close();
    },
  };
}

/** Challenges a host, and makes the socket a link when the answer is right. */
function greet(socket: WebSocket, stream: Duplex, needs: AcceptNeeds): void {
  const nonce = randomToken(needs.environment.random, 32);
  const tooLate = setTimeout(() => socket.close(CloseCode.unauthenticated, "no hello within 10 s"), HELLO_MS);
  let link: HostLink | undefined;
  let isChecking = false;
  const admit = limitBytes(stream, MAX_GREETING);
  socket.on("error", (error) => needs.environment.log.info("host link error", { reason: error.message }));
  socket.on("close", () => {
    clearTimeout(tooLate);
    if (link !== undefined) {
      needs.connected.remove(link);
      needs.environment.log.info("host disconnected", { host: link.host.name });
    }
  });
  socket.on("message", (data: Buffer, isBinary) => {
    if (socket.readyState !== socket.OPEN) return;
    if (link !== undefined && isBinary) needs.received?.(data.length);
    if (link !== undefined) return isBinary ? link.block(data) : link.text(data.toString("utf8"));
    const hello = isChecking || isBinary ? undefined : parseHello(data);
    if (hello === undefined) return socket.close(CloseCode.malformed, "hello comes first");
    isChecking = true;
    clearTimeout(tooLate);
    void open(socket, needs, hello, nonce).then((opened) => {
      link = opened;
      if (link !== undefined) admit();
      link?.begin();
    });
  });
  socket.send(JSON.stringify({ type: "challenge", v: 1, server: needs.url, nonce }));
}

/**
 * Cuts a stream off that brings more, until the returned function is called. A message is in memory until it is whole, and those
 * of hosts are large: without this anybody could fill ours.
 */
function limitBytes(stream: Duplex, most: number): () => void {
  let length = 0;
  const count = (bytes: Buffer): void => {
    length += bytes.length;
    if (length > most) stream.destroy();
  };
  stream.on("data", count);
  return () => void stream.off("data", count);
}

async function open(
  socket: WebSocket,
  needs: AcceptNeeds,
  hello: Hello,
  nonce: string,
): Promise<HostLink | undefined> {
  try {
    const host = await hostById(needs.db, hello.hostId);
    const refused = checkHello(hello, host, needs.url, nonce);
    if (refused !== undefined || host === undefined) {
      needs.environment.log.warn("host refused", { hostId: hello.hostId, reason: refused?.reason });
      socket.close(refused?.code, refused?.reason);
      return undefined;
    }
    if (socket.readyState !== socket.OPEN) return undefined;
    const link = new HostLink(needs, socket, host, hello);
    needs.connected.add(link);
    needs.environment.log.info("host connected", { host: host.name, agentVersion: hello.agentVersion });
    return link;
  } catch (error) {
    needs.environment.log.error("host sign-in failed", errorFields(error));
    socket.close(CloseCode.internalError, "internal error: connect again");
    return undefined;
  }
}

function parseHello(data: Buffer): Hello | undefined {
  if (data.length > MAX_HELLO) return undefined;
  try {
    const message = parseLinkMessage(HostMessage, data.toString("utf8"));
    return message.type === "hello" ? message : undefined;
  } catch {
    return undefined;
  }
}
