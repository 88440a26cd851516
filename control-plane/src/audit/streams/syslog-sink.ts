import { readFileSync } from "node:fs";
import { connect, isIP, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { SyslogStream } from "./stream-configuration.ts";
import type { Sink, StreamedEvent } from "./streamed-event.ts";
import { octetCounted, syslogMessage } from "./syslog-message.ts";

const TIMEOUT_MS = 10_000;
/** Syslog acknowledges nothing: for so long the connection has to hold after a batch for it to count as delivered. */
const SETTLE_MS = 200;

/** Sends to a syslog receiver over TLS (RFC 5425), or TCP (RFC 6587) on this machine. The connection stays open. */
export class SyslogSink implements Sink {
  readonly #stream: SyslogStream;
  #socket: Socket | undefined;

  constructor(stream: SyslogStream) {
    this.#stream = stream;
  }

  async send(events: readonly StreamedEvent[]): Promise<void> {
    this.#socket ??= await this.#connect();
    const socket = this.#socket;
    const broken = new AbortController();
    const onEnd = () => broken.abort();
    socket.once("close", onEnd).once("end", onEnd);
    try {
      const bytes = Buffer.concat(events.map((event) => octetCounted(syslogMessage(event))));
      await written(socket, bytes);
      await pause(SETTLE_MS, undefined, { signal: broken.signal });
      if (broken.signal.aborted || socket.destroyed) throw new Error("the connection was closed");
    } catch (cause) {
      socket.destroy();
      this.#socket = undefined;
      throw this.#failure("broke the connection off", cause);
    } finally {
      socket.off("close", onEnd).off("end", onEnd);
    }
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined || socket.destroyed) return;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.end();
    const cut = setTimeout(() => socket.destroy(), 1000);
    await closed;
    clearTimeout(cut);
  }

  #connect(): Promise<Socket> {
    const { host, port, tls, caFile } = this.#stream;
    return new Promise((resolve, reject) => {
      const ca = caFile === null ? {} : { ca: readFileSync(caFile) };
      const name = isIP(host) === 0 ? { servername: host } : {};
      const socket = tls
        ? connectTls({ host, port, minVersion: "TLSv1.2", ...name, ...ca })
        : connect({ host, port });
      const fail = (cause: unknown) => {
        socket.destroy();
        reject(this.#failure("cannot be reached", cause));
      };
      socket.setTimeout(TIMEOUT_MS, () => fail(new Error("no answer within 10 s")));
      socket.once("error", fail);
      socket.once(tls ? "secureConnect" : "connect", () => {
        socket.setTimeout(0);
        socket.setKeepAlive(true, 30_000);
        socket.off("error", fail).on("error", () => socket.destroy());
        // A receiver has nothing to say; what it says all the same is read away, so that its end is seen.
        socket.resume();
        resolve(socket);
      });
    });
  }

  #failure(what: string, cause: unknown): SallyportError {
    const { host, port } = this.#stream;
    return new SallyportError("delivery-failed", `The syslog receiver ${host} port ${port} ${what}.`, {
      cause,
    });
  }
}

async function written(socket: Socket, bytes: Buffer): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error("it takes nothing")), TIMEOUT_MS);
      socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    clearTimeout(timer);
  }
}
