import { type KeyObject, sign } from "node:crypto";
import {
  COMMANDS_CAPABILITY,
  type HostEvent,
  type HostMessage,
  helloStatement,
  KEYS_CAPABILITY,
  MAX_LINK_MESSAGE,
  parseLinkMessage,
  REVOCATIONS_CAPABILITY,
  ServerMessage,
} from "@sallyport/core/messages/host-link.ts";
import { WebSocket } from "ws";

/** Longest pause between two tries to connect, in milliseconds. */
const MAX_BACKOFF_MS = 5_000;
const FIRST_BACKOFF_MS = 200;
/** A link that was up for this long was a good one: after it the pauses begin anew. */
const GOOD_MS = 5_000;
/** A link on which nothing came for this long (the server pings every 20 s) is taken for dead. */
const SILENCE_MS = 65_000;
/** Bytes that may wait in the socket before senders are asked to wait. */
const HIGH_WATER = 4 * 1024 * 1024;

export interface LinkContext {
  /** Base URL of the control plane, as pinned. */
  server: string;
  hostId: string;
  hostKey: KeyObject;
  agentVersion: string;
  /** What this host has already, said in `hello`. */
  bundleVersion(): number;
  revocationSequence(): number;
  /** `chainRevocation` at that number. Given by hosts that keep the revocation list apart from the bundle, and only by them. */
  revocationChain?(): string;
  /** A valid message arrived. What this or another callback throws becomes a warning of the process, and closes nothing. */
  onMessage(message: Exclude<ServerMessage, { type: "challenge" | "welcome" }>): void;
  onConnected(): void;
  onDisconnected(reason: string): void;
  /** Difference of the clocks in seconds (control plane minus host), told at each welcome. */
  onClock(skewSeconds: number): void;
}

/** How the link stands, for people. Times are seconds since the epoch. */
export interface LinkState {
  /** Since when it is up; null while it is not. */
  connectedSince: number | null;
  /** When something last came from the server. */
  lastContact: number | null;
  /** Why it was lost, or could not be made, the last time; null when that never happened. */
  lastError: string | null;
}

/**
 * The one WebSocket of a host to its control plane: signs in with the host's key, reconnects with growing, jittered
 * pauses, and drops what does not pass its schema. `send` is for a link that is up; whatever must not be lost is kept
 * by its owner (outbox, spool) and sent again after `onConnected`.
 */
export class ControlPlaneLink {
  readonly #context: LinkContext;
  #socket: WebSocket | undefined;
  /** The server has challenged us by its right name on this socket, and has had our answer. */
  #saidHello = false;
  #up = false;
  #closed = false;
  #upSince = 0;
  #backoff = FIRST_BACKOFF_MS;
  #retry: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  readonly #state: LinkState = { connectedSince: null, lastContact: null, lastError: null };

  constructor(context: LinkContext) {
    this.#context = context;
  }

  get connected(): boolean {
    return this.#up;
  }

  get state(): LinkState {
    return { ...this.#state };
  }

  /** True while the socket has more to send than it should hold. */
  get congested(): boolean {
    return (this.#socket?.bufferedAmount ?? 0) > HIGH_WATER;
  }

  start(): void {
    if (this.#closed) return;
    const url = `${this.#context.server.replace(/^http/, "ws").replace(/\/$/, "")}/api/v1/host-link`;
    const socket = new WebSocket(url, {
      maxPayload: MAX_LINK_MESSAGE,
      handshakeTimeout: 10_000,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    this.#saidHello = false;
    this.#watchSilence(socket);
    socket.on("message", (data, isBinary) => {
      this.#watchSilence(socket);
      if (!isBinary) this.#receive(socket, data.toString());
    });
    socket.on("ping", () => this.#watchSilence(socket));
    let error: string | undefined; // "close" follows and carries on
    socket.on("error", ({ message }) => (error = message.slice(0, 200)));
    socket.on("close", (code, reason) =>
      this.#lost(error ?? `${code} ${reason.toString().slice(0, 200)}`.trim()),
    );
  }

  /** Sends a message if the link is up; returns whether it was handed to the socket. */
  send(message: HostMessage): boolean {
    if (!this.#up || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  sendEvent(event: HostEvent): boolean {
    return this.send({ type: "event", event });
  }

  /** Sends one block of a recording; `onFlushed` is called when the socket can take more. */
  sendBlock(block: Uint8Array, onFlushed: () => void): boolean {
    if (!this.#up || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(block, { binary: true }, () => onFlushed());
    return true;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#socket?.terminate();
  }

  #receive(socket: WebSocket, text: string): void {
    if (socket.readyState !== WebSocket.OPEN) return; // refused, or closed by us: what is still under way counts for nothing
    let message: ServerMessage;
    try {
      message = parseLinkMessage(ServerMessage, text);
    } catch {
      return; // one clear place: what does not fit changes nothing
    }
    if (message.type === "challenge") this.#signIn(socket, message.server, message.nonce);
    else if (message.type === "welcome") this.#welcome(message.clock);
    else if (this.#up) guarded(() => this.#context.onMessage(message));
  }

  #signIn(socket: WebSocket, server: string, nonce: string): void {
    // A server that claims another name could be passing on somebody else's challenge.
    if (server !== this.#context.server) {
      socket.close(4400, "server name");
      return;
    }
    const statement = helloStatement(server, this.#context.hostId, nonce);
    const chain = this.#context.revocationChain?.();
    const hello: HostMessage = {
      type: "hello",
      v: 1,
      hostId: this.#context.hostId,
      agentVersion: this.#context.agentVersion,
      signature: sign(null, statement, this.#context.hostKey).toString("base64url"),
      bundleVersion: this.#context.bundleVersion(),
      revocationSequence: this.#context.revocationSequence(),
      capabilities: [
        KEYS_CAPABILITY,
        COMMANDS_CAPABILITY,
        ...(chain === undefined ? [] : [REVOCATIONS_CAPABILITY]),
      ],
      ...(chain === undefined ? {} : { revocationChain: chain }),
    };
    socket.send(JSON.stringify(hello));
    this.#saidHello = true;
  }

  #welcome(clock: number): void {
    if (!this.#saidHello) return;
    this.#up = true;
    this.#state.connectedSince = Date.now() / 1000;
    this.#upSince = performance.now();
    guarded(() => this.#context.onClock(clock - Date.now() / 1000));
    guarded(() => this.#context.onConnected());
  }

  #lost(reason: string): void {
    clearTimeout(this.#silence);
    const wasUp = this.#up;
    // One that ends as soon as it is up, again and again, is not to be made five times a second.
    if (wasUp && performance.now() - this.#upSince >= GOOD_MS) this.#backoff = FIRST_BACKOFF_MS;
    this.#up = false;
    this.#socket = undefined;
    this.#state.connectedSince = null;
    this.#state.lastError = reason;
    if (wasUp) guarded(() => this.#context.onDisconnected(reason));
    if (this.#closed) return;
    this.#retry = setTimeout(() => this.start(), this.#backoff * (0.5 + Math.random()));
    this.#backoff = Math.min(this.#backoff * 2, MAX_BACKOFF_MS);
  }

  #watchSilence(socket: WebSocket): void {
    clearTimeout(this.#silence);
    if (this.#up) this.#state.lastContact = Date.now() / 1000;
    this.#silence = setTimeout(() => socket.terminate(), SILENCE_MS);
  }
}

function guarded(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}
