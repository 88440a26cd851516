import assert from "node:assert/strict";
import { type KeyObject, randomBytes, verify } from "node:crypto";
import { EventEmitter, once } from "node:events";
import type { AddressInfo } from "node:net";
import {
  HostMessage,
  helloStatement,
  parseLinkMessage,
  type ServerMessage,
} from "@sallyport/core/messages/host-link.ts";
import { type Block, parseBlock } from "@sallyport/core/recording/block.ts";
import { type WebSocket, WebSocketServer } from "ws";

/** What is stored of one recording: whole blocks in order, as a control plane would have them. */
export interface Stored {
  blocks: Block[];
  complete: boolean;
}

/**
 * A control plane's end of the host link, with a real socket, and as much of its duties as uploading needs. It holds
 * what comes to the contract: a bad signature, a block twice or out of order fails the test that started it.
 */
export class TestControlPlane extends EventEmitter {
  readonly #server: WebSocketServer;
  readonly #hostKey: KeyObject;
  readonly #hostId: string;
  readonly recordings = new Map<string, Stored>();
  readonly received: HostMessage[] = [];
  readonly broken: unknown[] = [];
  /** Every block that came, stored or not, as "recording/sequence". */
  readonly arrived: string[] = [];
  connections = 0;
  socket: WebSocket | undefined;
  /** Said in `challenge`; the address by default. */
  name: string | undefined;
  /** Answers to `hello`; without, nothing is said. */
  welcomes = true;
  /** Recordings that can never be stored, and such that are stored but not acknowledged. */
  readonly rejects = new Set<string>();
  readonly mute = new Set<string>();
  /** Recordings that cannot be stored at the moment. */
  readonly cannotStore = new Set<string>();
  /** Cuts the connection when so many blocks have come on it, unacknowledged but stored up to then. */
  cutAfter = Number.POSITIVE_INFINITY;

  private constructor(server: WebSocketServer, hostId: string, hostKey: KeyObject) {
    super();
    this.#server = server;
    this.#hostKey = hostKey;
    this.#hostId = hostId;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async start(hostId: string, hostKey: KeyObject, port = 0): Promise<TestControlPlane> {
    const server = new WebSocketServer({ host: "127.0.0.1", port, path: "/api/v1/host-link" });
    await once(server, "listening");
    return new TestControlPlane(server, hostId, hostKey);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  send(message: ServerMessage): void {
    this.socket?.send(JSON.stringify(message));
  }

  /** Resolves when `condition` holds; looked at whenever something has come. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this, "activity");
  }

  async close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
    assert.deepEqual(this.broken, []);
  }

  #serve(socket: WebSocket): void {
    this.connections++;
    this.socket = socket;
    let blocks = 0;
    const nonce = randomBytes(24).toString("base64url");
    socket.on("message", (data: Buffer, isBinary) => {
      try {
        if (!isBinary) this.#take(parseLinkMessage(HostMessage, data.toString()), nonce);
        else if (++blocks <= this.cutAfter) this.#store(parseBlock(data));
        if (blocks >= this.cutAfter) socket.terminate();
      } catch (error) {
        this.broken.push(error);
      }
      this.emit("activity");
    });
    socket.on("close", (code) => {
      this.emit("gone", code);
      this.emit("activity");
    });
    socket.send(JSON.stringify({ type: "challenge", v: 1, server: this.name ?? this.url, nonce }));
    this.emit("connection", socket);
    this.emit("activity");
  }

  #take(message: HostMessage, nonce: string): void {
    this.received.push(message);
    if (message.type === "hello") {
      const statement = helloStatement(this.url, this.#hostId, nonce);
      assert.equal(message.hostId, this.#hostId);
      assert.ok(
        verify(null, statement, this.#hostKey, Buffer.from(message.signature, "base64url")),
        "signature",
      );
      if (this.welcomes) this.send({ type: "welcome", clock: Date.now() / 1000 });
    } else if (message.type === "recording-query") {
      this.acknowledge(message.recording);
    }
  }

  #store(block: Block): void {
    const { session: recording, sequence } = block;
    this.arrived.push(`${recording}/${sequence}`);
    if (this.rejects.has(recording)) {
      const reason = { code: "recording-broken-chain", message: "It makes no sense." };
      this.send({ type: "recording-rejected", recording, sequence, ...reason });
      return;
    }
    if (this.cannotStore.has(recording)) {
      this.send({ type: "recording-later", recording });
      return;
    }
    const stored = this.recordings.get(recording) ?? { blocks: [], complete: false };
    this.recordings.set(recording, stored);
    assert.equal(sequence, stored.blocks.length, `block ${sequence} of ${recording} is out of turn`);
    // A copy: the socket's buffers are used again.
    stored.blocks.push(parseBlock(Buffer.from(block.bytes)));
    stored.complete = block.last;
    if (this.cutAfter === Number.POSITIVE_INFINITY && !this.mute.has(recording)) this.acknowledge(recording);
  }

  acknowledge(recording: Block["session"]): void {
    const stored = this.recordings.get(recording);
    const nextSequence = stored?.blocks.length ?? 0;
    this.send({ type: "recording-offset", recording, nextSequence, complete: stored?.complete ?? false });
  }
}
