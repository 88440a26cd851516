import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Hands an address that has a secret in it to this user's browser, without it being in any argument list, where every user
 * of the machine could read it: the browser is sent to a port of ours on loopback, and from there on. Whoever asks first
 * gets it, once; on Linux, only a process of this user.
 */
export class Handover {
  readonly #server: Server;
  /** What the browser is to open. */
  readonly address: string;
  /** Resolves when a browser has got the address. */
  readonly taken: Promise<void>;

  private constructor(server: Server, taken: Promise<void>) {
    this.#server = server;
    this.taken = taken;
    this.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/open`;
  }

  /** Listens. `makeTarget` is called once, for the browser that comes. */
  static async open(
    makeTarget: () => Promise<string>,
    person: { uid: number; platform: string },
  ): Promise<Handover> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    let target: Promise<string> | undefined;
    const taken = new Promise<void>((resolve, reject) => {
      server.on("request", (request, response) => {
        if (!isOurs(request, server, person)) return refuse(response, 403, "This is for another user.");
        if (target !== undefined) return refuse(response, 410, "This address was used already.");
        target = makeTarget();
        target.then(
          (location) => {
            response.on("finish", resolve);
            const headers = { location, "cache-control": "no-store", "referrer-policy": "no-referrer" };
            response.writeHead(303, headers).end();
          },
          (error: unknown) => {
            refuse(response, 500, "It went wrong; sallyport says more.");
            reject(error);
          },
        );
      });
    });
    // Whoever does not wait for it hears of its failure elsewhere.
    taken.catch(() => undefined);
    return new Handover(server, taken);
  }

  close(): void {
    this.#server.close();
    this.#server.closeIdleConnections();
  }
}

function isOurs(
  request: IncomingMessage,
  server: Server,
  person: { uid: number; platform: string },
): boolean {
  const { port } = server.address() as AddressInfo;
  if (request.method !== "GET" || request.url !== "/open") return false;
  // Another name for this address would be a page elsewhere that had it resolved to here.
  if (request.headers.host !== `127.0.0.1:${port}`) return false;
  if (person.platform !== "linux") return true;
  const { remotePort = 0 } = request.socket;
  return ownerOfConnection(readFileSync("/proc/net/tcp", "utf8"), remotePort, port) === person.uid;
}

/** The uid at the other end of a connection on 127.0.0.1, out of the text of /proc/net/tcp; undefined when it is not there. */
export function ownerOfConnection(text: string, from: number, to: number): number | undefined {
  const address = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of text.split("\n").slice(1)) {
    const [, local, remote, , , , , uid] = line.trim().split(/\s+/);
    if (local === address(from) && remote === address(to)) return Number(uid);
  }
  return undefined;
}

function refuse(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${sentence}\n`);
}
