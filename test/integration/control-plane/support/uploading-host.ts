import { randomBytes, sign } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import {
  type HostEvent,
  type HostMessage,
  helloStatement,
  ServerMessage,
} from "@sallyport/core/messages/host-link.ts";
import { makeId, type SessionId } from "@sallyport/core/names.ts";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { Block } from "@sallyport/core/recording/block.ts";
import { decodeJwt } from "jose";
import { WebSocket } from "ws";
import type { Random } from "../../adversary/support/random.ts";
import { makeRecording, type TestHost } from "./host.ts";

const AGAIN = 25;
/** Blocks that are under way at once. */
const WINDOW = 3;

/** A recording as its host has it, and how far the control plane said that it is stored. */
export interface Upload {
  session: SessionId;
  blocks: Block[];
  acknowledged: number;
  complete: boolean;
}

/**
 * A host that uploads one recording after the other and tells of events, over links that break. It goes on from where the
 * control plane says, and notes every word that does not fit what was said before.
 */
export class UploadingHost {
  readonly host: TestHost;
  readonly uploads: Upload[] = [];
  readonly events: HostEvent[] = [];
  readonly acknowledgedEvents = new Set<string>();
  /** Ids of revocations that the host was told of, by number. */
  readonly revocations = new Map<number, string>();
  readonly wrong: string[] = [];
  bundleVersion = 0;
  revocationSequence = 0;
  links = 0;
  readonly #random: Random;
  #sent = 0;
  #over = false;

  constructor(host: TestHost, random: Random) {
    this.host = host;
    this.#random = random;
  }

  /** What was acknowledged so far. */
  get acknowledged(): number {
    return (
      this.acknowledgedEvents.size + this.uploads.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
    );
  }

  /** Begins no other recording; {@link run} resolves when everything is acknowledged. */
  finish(): void {
    this.#over = true;
  }

  async run(plane: { readonly url: string; readonly isClosed: boolean }): Promise<void> {
    while (!this.#isDone && !plane.isClosed) {
      await this.#link(plane.url);
      await pause(AGAIN);
    }
  }

  get #isDone(): boolean {
    const isStored = this.uploads.every(({ complete }) => complete);
    return this.#over && isStored && this.acknowledgedEvents.size === this.events.length;
  }

  #link(url: string): Promise<void> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/v1/host-link`);
    const send = (message: HostMessage) => socket.send(JSON.stringify(message));
    socket.on("error", () => {});
    socket.on("message", (data: Buffer) => {
      this.#take(ServerMessage.parse(JSON.parse(data.toString("utf8"))), send, (bytes) => socket.send(bytes));
      if (this.#isDone) socket.close();
    });
    return new Promise((resolve) => socket.on("close", () => resolve()));
  }

  #take(
    message: ServerMessage,
    send: (message: HostMessage) => void,
    sendBlock: (bytes: Uint8Array) => void,
  ): void {
    const { type } = message;
    if (type === "challenge") this.#hello(message, send);
    if (type === "welcome") this.#begin(send);
    if (type === "recording-offset") this.#goOn(message, send, sendBlock);
    if (type === "recording-later") setTimeout(() => this.#ask({ session: message.recording }, send), AGAIN);
    if (type === "recording-rejected")
      this.#note(`block ${message.sequence} of ${message.recording} was rejected: ${message.message}`);
    if (type === "event-ack") this.acknowledgedEvents.add(message.id);
    if (type === "bundle") this.#takeBundle(decodeJwt<Bundle>(message.jws), send);
    if (type === "revocation") this.#takeRevocation(message.entry, send);
  }

  #begin(send: (message: HostMessage) => void): void {
    this.links++;
    this.#ask(this.#current(), send);
    // The last two in any case: a host may have lost their acknowledgement.
    for (const [index, event] of this.events.entries()) {
      if (index >= this.events.length - 2 || !this.acknowledgedEvents.has(event.id))
        send({ type: "event", event });
    }
  }

  #takeRevocation({ sequence, id }: Revocation, send: (message: HostMessage) => void): void {
    const told = this.revocations.get(sequence) ?? id;
    if (told !== id) this.#note(`revocation ${sequence} was ${told}, and now is ${id}`);
    this.revocations.set(sequence, id);
    send({ type: "revocation-ack", sequence, endedSessions: [] });
  }

  #hello(
    { server, nonce }: Extract<ServerMessage, { type: "challenge" }>,
    send: (message: HostMessage) => void,
  ): void {
    const { id, key } = this.host;
    const signature = sign(null, helloStatement(server, id, nonce), key).toString("base64url");
    const has = { bundleVersion: this.bundleVersion, revocationSequence: this.revocationSequence };
    send({ type: "hello", v: 1, hostId: id, agentVersion: "test", signature, ...has });
  }

  #takeBundle(bundle: Bundle, send: (message: HostMessage) => void): void {
    const { version, revocationSequence } = bundle;
    if (version < this.bundleVersion) this.#note(`bundle ${version} came after ${this.bundleVersion}`);
    if (revocationSequence < this.revocationSequence)
      this.#note(
        `a bundle with ${revocationSequence} revocations came after one with ${this.revocationSequence}`,
      );
    this.bundleVersion = version;
    this.revocationSequence = revocationSequence;
    send({ type: "bundle-ack", version });
  }

  #goOn(
    { recording, nextSequence, complete }: Extract<ServerMessage, { type: "recording-offset" }>,
    send: (message: HostMessage) => void,
    sendBlock: (bytes: Uint8Array) => void,
  ): void {
    const upload = this.uploads.find(({ session }) => session === recording);
    if (upload === undefined) throw new TypeError(`there is no recording ${recording}`);
    if (nextSequence < upload.acknowledged)
      this.#note(`${recording} has ${nextSequence} blocks, and ${upload.acknowledged} were acknowledged`);
    const isNews = complete && !upload.complete;
    Object.assign(upload, { acknowledged: nextSequence, complete });
    this.#sent = Math.max(this.#sent, nextSequence);
    for (; this.#sent < Math.min(nextSequence + WINDOW, upload.blocks.length); this.#sent++)
      sendBlock(upload.blocks[this.#sent]?.bytes ?? new Uint8Array());
    if (!isNews) return;
    this.#tell(send);
    if (!this.#over) this.#ask(this.#current(), send);
  }

  #ask({ session }: Pick<Upload, "session">, send: (message: HostMessage) => void): void {
    this.#sent = 0;
    send({ type: "recording-query", recording: session });
  }

  #tell(send: (message: HostMessage) => void): void {
    const event: HostEvent = {
      ...{ id: makeId("evt", Date.now(), randomBytes(10)), at: Date.now(), type: "trouble", account: null },
      ...{ sourceAddress: null, certificateSerial: null, memberId: null, issuer: null, subject: null },
      ...{
        engagementId: null,
        sessionId: null,
        code: "test",
        detail: String(this.events.length),
        told: null,
      },
    };
    this.events.push(event);
    send({ type: "event", event });
  }

  #current(): Upload {
    const last = this.uploads.at(-1);
    if (last !== undefined && (!last.complete || this.#over)) return last;
    const outputs = Array.from({ length: 2 + this.#random.below(6) }, () =>
      "x".repeat(1 + this.#random.below(20_000)),
    );
    const member = { id: "mem_1", issuer: "https://idp.test", subject: "m0" };
    const { session, blocks } = makeRecording(this.host, member, { outputs });
    const upload = { session, blocks, acknowledged: 0, complete: false };
    this.uploads.push(upload);
    return upload;
  }

  #note(what: string): void {
    this.wrong.push(`${this.host.name}: ${what}`);
  }
}
