import type { KeyObject } from "node:crypto";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { HostFacts } from "@sallyport/core/messages/host-facts.ts";
import {
  COMMANDS_CAPABILITY,
  HostMessage,
  MAX_BLOCK_UPLOAD,
  parseLinkMessage,
  REVOCATIONS_CAPABILITY,
} from "@sallyport/core/messages/host-link.ts";
import { type Block, parseBlock } from "@sallyport/core/recording/block.ts";
import type { WebSocket } from "ws";
import type { Configuration } from "../../config/configuration.ts";
import { type Host, hostById, noteFacts, touchHost } from "../../database/hosts.ts";
import { notePinnedKeys } from "../../database/key-successions.ts";
import type { Database } from "../../database/tables.ts";
import { type Environment, seconds } from "../../environment.ts";
import { errorFields } from "../../log.ts";
import type { Bundles } from "../../policy/bundles.ts";
import type { RecordingStore } from "../../recordings/recording-store.ts";
import { storeHostEvent } from "../store-host-event.ts";
import { BundleFeed } from "./bundle-feed.ts";
import { type Hello, hostPublicKey } from "./check-hello.ts";
import { CloseCode } from "./close-codes.ts";
import { HostRevocations, type HostRevocationsNeeds, type RevocationNews } from "./host-revocations.ts";
import { KeyFeed, type KeyFeedNeeds } from "./key-feed.ts";
import { LinkSocket } from "./link-socket.ts";
import { namedBlock } from "./named-block.ts";

const TOUCH_MS = 60_000;
const AGAIN_MS = 5000;
/** At most so often it is said that something cannot be stored. */
const TROUBLE_MS = 60_000;

/** What a link needs. `lease` in seconds. */
export interface HostLinkNeeds extends HostRevocationsNeeds {
  db: Database;
  environment: Environment;
  config: Pick<Configuration, "approvals" | "hostCertificateLifetime">;
  keys: KeyFeedNeeds["keys"];
  bundles: Pick<Bundles, "current" | "lease">;
  recordings: Pick<RecordingStore, "position" | "receive">;
  lease: number;
}

/** The live link of one host that has signed in. */
export class HostLink {
  readonly host: Host;
  readonly #needs: HostLinkNeeds;
  readonly #socket: LinkSocket;
  readonly #key: KeyObject;
  readonly #feed: BundleFeed;
  readonly #revocations: HostRevocations;
  readonly #keys: KeyFeed;
  readonly #leases: NodeJS.Timeout;
  readonly #hello: Hello;
  #begun = false;
  #again: NodeJS.Timeout | undefined;
  #texts: Promise<void> = Promise.resolve();
  #touchedAt = 0;
  #troubleAt = Number.NEGATIVE_INFINITY;

  constructor(needs: HostLinkNeeds, socket: WebSocket, host: Host, hello: Hello) {
    this.host = host;
    this.#needs = needs;
    this.#socket = new LinkSocket(socket);
    this.#key = hostPublicKey(host.hostKey);
    const capabilities = new Set(hello.capabilities);
    const words = {
      modes: capabilities.has(COMMANDS_CAPABILITY),
      revocations: capabilities.has(REVOCATIONS_CAPABILITY),
    };
    this.#revocations = new HostRevocations(needs, {
      ...{ host, hello, keepsList: words.revocations, socket: this.#socket },
      renewLease: () => void this.renewLease(),
      publishBundle: () => void this.publishBundle(),
    });
    this.#feed = new BundleFeed(
      {
        ...{ bundles: needs.bundles, words, list: this.#revocations.list },
        send: (message) => this.#socket.send(message),
        listInForce: (sequence) => this.#revocations.inBundle(sequence),
      },
      host,
      hello,
    );
    this.#hello = hello;
    this.#keys = new KeyFeed(needs, host, hello, (message) => this.#socket.send(message));
    this.#leases = setInterval(() => void this.#guard(this.#renew()), (needs.lease * 1000) / 3);
    socket.on("close", () => {
      clearInterval(this.#leases);
      clearTimeout(this.#again);
      this.#feed.close();
      this.#revocations.close();
    });
  }

  /** Welcomes the host and brings it up to date. */
  begin(): void {
    this.#socket.send({ type: "welcome", clock: this.#needs.environment.clock() / 1000 });
    // Whatever comes of the rest, also while the policy key is away.
    void this.#guard(this.#revocations.begin());
    void this.tellKeys();
    void this.#note(this.#touch());
  }

  /** A text message. They are dealt with one after the other. */
  text(text: string): void {
    let message: HostMessage;
    try {
      message = parseLinkMessage(HostMessage, text);
    } catch (error) {
      this.close(CloseCode.malformed, isSallyportError(error) ? error.message : "malformed message");
      return;
    }
    const next = () => this.#socket.whileHolding(text.length, () => this.#guard(this.#handle(message)));
    this.#texts = this.#texts.then(next);
  }

  /** A binary message: one block of a recording. */
  block(bytes: Buffer): void {
    const block = this.#parseBlock(bytes);
    if (block === undefined) return;
    void this.#socket.whileHolding(bytes.length, () => this.#guard(this.#store(block)));
  }

  /** How far the host says that it has the revocation list. */
  get acknowledgedRevocation(): number {
    return this.#revocations.acknowledged;
  }

  /** Sends what is new on the list; resolves with the sessions that it ended, or undefined when that was not said within 2 s. */
  revoke(news: RevocationNews): Promise<string[] | undefined> {
    void this.#guard(this.#revocations.send(news));
    return this.#revocations.answer(news);
  }

  /** Sends a fresh lease, or the bundle where the host has not said that it has it. */
  async renewLease(): Promise<void> {
    await this.#guard(this.#feed.renew());
  }

  /** Sends the current bundle where it is new; true when the host says within 2 s that it has it. */
  async publishBundle(): Promise<boolean> {
    let acknowledged = false;
    await this.#guard(
      this.#feed.publish().then((result) => {
        acknowledged = result;
      }),
    );
    return acknowledged;
  }

  /** Tells the host of keys that follow keys, with the bundle that goes with them. */
  async tellKeys(): Promise<void> {
    await this.#guard(this.#tell());
    await this.#note(this.#keys.certify());
  }

  hintKeys(issuer: string, kid: string): void {
    if (issuer.length <= 500 && kid.length <= 255) this.#socket.send({ type: "jwks-hint", issuer, kid });
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  async #handle(message: HostMessage): Promise<void> {
    switch (message.type) {
      case "hello":
        return this.close(CloseCode.malformed, "hello comes once");
      case "recording-query":
        return this.#answerQuery(message.recording);
      case "event":
        await storeHostEvent(this.#needs, this.host, message.event);
        return this.#socket.send({ type: "event-ack", id: message.event.id });
      case "revocation-ack":
        return this.#revocations.heard(message.sequence, message.endedSessions);
      case "revocations-query":
        return this.#revocations.query(message.after);
      case "bundle-ack":
        return this.#feed.acknowledged(message.version);
      case "keys-pinned":
        return notePinnedKeys(
          this.#needs.db,
          this.host.id,
          message.keys,
          seconds(this.#needs.environment.clock),
        );
      case "ssh-host-keys":
        return this.#note(this.#keys.held(message.keys));
      case "heartbeat":
        await this.#note(this.#keys.certifyNowAndThen());
        return this.#note(this.#heardFrom(message.facts));
    }
  }

  async #answerQuery(recording: Block["session"]): Promise<void> {
    try {
      const position = await this.#needs.recordings.position(this.host.id, recording);
      this.#socket.send({ type: "recording-offset", recording, ...position });
    } catch (error) {
      if (!isSallyportError(error)) throw error;
      const { code, message } = error;
      this.#socket.send({ type: "recording-rejected", recording, sequence: 0, code, message });
    }
  }

  #parseBlock(bytes: Buffer): Block | undefined {
    try {
      if (bytes.length > MAX_BLOCK_UPLOAD) throw new RangeError("too large");
      return parseBlock(bytes);
    } catch (error) {
      const named = namedBlock(bytes);
      const message = isSallyportError(error) ? error.message : "The block is too large.";
      if (named === undefined) this.close(CloseCode.malformed, message);
      else this.#socket.send({ type: "recording-rejected", ...named, code: "recording-malformed", message });
      return undefined;
    }
  }

  async #store(block: Block): Promise<void> {
    const { id, name } = this.host;
    const { session: recording, sequence } = block;
    const answer = await this.#needs.recordings.receive({ id, name, key: this.#key }, block);
    if (answer.type === "stored") {
      const { nextSequence, complete } = answer;
      this.#socket.send({ type: "recording-offset", recording, nextSequence, complete });
    } else if (answer.type === "later") {
      this.#cannotStore({ recording }, answer.error);
      this.#socket.send({ type: "recording-later", recording });
    } else if (answer.type === "rejected") {
      const { code, message } = answer;
      this.#needs.environment.log.warn("block rejected", { host: name, recording, sequence, code });
      this.#socket.send({ type: "recording-rejected", recording, sequence, code, message });
    }
  }

  /** Our disk or database is at fault: the host keeps what it has, and its other recordings go on. */
  #cannotStore(what: Record<string, string>, error: unknown): void {
    const { log, clock } = this.#needs.environment;
    if (clock() - this.#troubleAt < TROUBLE_MS) return;
    this.#troubleAt = clock();
    log.error("something cannot be stored now", { host: this.host.name, ...what, ...errorFields(error) });
  }

  /** What is only good to know: a database that does not take it is no reason to end the link. */
  async #note(work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => this.#cannotStore({}, error));
  }

  async #heardFrom(facts: HostFacts | undefined): Promise<void> {
    if (facts !== undefined) await noteFacts(this.#needs.db, this.host.id, facts);
    await this.#touch();
  }

  async #renew(): Promise<void> {
    const host = await hostById(this.#needs.db, this.host.id);
    if (host === undefined || host.removed) return this.close(CloseCode.unknownHost, "this host was removed");
    await this.#feed.renew();
  }

  async #touch(): Promise<void> {
    const now = this.#needs.environment.clock();
    if (now - this.#touchedAt < TOUCH_MS) return;
    this.#touchedAt = now;
    await touchHost(this.#needs.db, this.host.id, seconds(this.#needs.environment.clock));
  }

  #tell(): Promise<void> {
    return this.#keys.tell(async (whole) => {
      const first = !this.#begun;
      this.#begun = true;
      // What it missed comes first: the bundle's lease lets people in again.
      await this.#revocations.begin();
      if (first) await this.#feed.begin(this.#hello, whole);
      else if (whole) await this.#feed.resend();
    });
  }

  /** The policy key is away: recordings and events go on, and policy follows when it is back. */
  #tryAgain(error: unknown): void {
    this.#cannotStore({ key: "policy" }, error);
    clearTimeout(this.#again);
    this.#again = setTimeout(
      () => void this.#guard(this.#tell().then(() => this.#renew())),
      AGAIN_MS,
    ).unref();
  }

  /** What fails on our side ends the link: the host connects again and goes on from what is stored. */
  async #guard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (isSallyportError(error, "key-unavailable")) return this.#tryAgain(error);
      this.#needs.environment.log.error("host link failed", { host: this.host.name, ...errorFields(error) });
      this.close(CloseCode.internalError, "internal error: connect again");
    }
  }
}
