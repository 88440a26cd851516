import type { KeyObject } from "node:crypto";
import type { HostEvent, ServerMessage } from "@sallyport/core/messages/host-link.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import { ControlPlaneLink } from "@sallyport/uplink/link/control-plane-link.ts";
import { Uploader } from "@sallyport/uplink/upload/uploader.ts";
import type { Logger } from "winston";
import type { JwksCache } from "../policy/jwks-cache.ts";
import type { PolicyStore } from "../policy/policy-store.ts";

const HEARTBEAT_MS = 15_000;
const EVENT_DELAY_MS = 250;

export interface SyncContext {
  server: string;
  hostId: string;
  hostKey: KeyObject;
  version: string;
  spool: string;
  rejected: string;
  policy: PolicyStore;
  jwks: JwksCache;
  /** Ends sessions and connections that may not go on under the policy as it is now; resolves with the sessions' ids. */
  endWhatMust(): Promise<SessionId[]>;
  liveSessions(): SessionId[];
  outbox: Outbox;
  log: Logger;
}

/** Everything between this host and its control plane: policy and revocations in, events and recordings out. */
export class ControlPlaneSync {
  readonly #context: SyncContext;
  readonly #link: ControlPlaneLink;
  readonly uploader: Uploader;
  #heartbeat: NodeJS.Timeout | undefined;
  readonly #unsent: HostEvent[] = [];
  #sending: NodeJS.Timeout | undefined;
  // Bundles, leases and revocations are applied one after the other, as they came.
  #policyWork: Promise<void> = Promise.resolve();

  constructor(context: SyncContext) {
    this.#context = context;
    const link = new ControlPlaneLink({
      server: context.server,
      hostId: context.hostId,
      hostKey: context.hostKey,
      agentVersion: context.version,
      bundleVersion: () => context.policy.bundle?.version ?? 0,
      revocationSequence: () => context.policy.revocations.sequence,
      onMessage: (message) => this.#receive(message),
      onConnected: () => this.#connected(),
      onDisconnected: (reason) => context.log.warn("the control plane is gone", { reason }),
      onClock: (skew) => {
        if (Math.abs(skew) > 5) context.log.warn("the clocks of host and control plane differ", { skew });
      },
    });
    this.#link = link;
    const sender = {
      get connected() {
        return link.connected;
      },
      get congested() {
        return link.congested;
      },
      query: (recording: SessionId) => link.send({ type: "recording-query", recording }),
      sendBlock: (block: Uint8Array, onFlushed: () => void) => link.sendBlock(block, onFlushed),
    };
    this.uploader = new Uploader(context.spool, context.rejected, sender, (recording) =>
      context.log.info("a recording is stored", { recording }),
    );
    context.outbox.onAdded = (event) => this.#sendSoon(event);
  }

  start(): void {
    this.#link.start();
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
  }

  stop(): void {
    clearInterval(this.#heartbeat);
    this.#link.close();
    this.uploader.close();
  }

  #connected(): void {
    this.#context.log.info("connected to the control plane");
    this.uploader.restart();
    for (const event of this.#context.outbox.pending()) this.#link.sendEvent(event);
    this.#beat();
  }

  /** A moment later: in the middle of a login there is more urgent work on both sides. */
  #sendSoon(event: HostEvent): void {
    this.#unsent.push(event);
    this.#sending ??= setTimeout(() => {
      this.#sending = undefined;
      for (const one of this.#unsent.splice(0)) this.#link.sendEvent(one);
    }, EVENT_DELAY_MS).unref();
  }

  #beat(): void {
    const liveSessions = this.#context.liveSessions();
    this.#link.send({ type: "heartbeat", liveSessions, spoolBytes: 0, clock: Date.now() / 1000 });
  }

  #receive(message: Exclude<ServerMessage, { type: "challenge" | "welcome" }>): void {
    switch (message.type) {
      case "bundle":
        this.#inOrder(() => this.#takeBundle(message.jws));
        break;
      case "lease":
        this.#inOrder(() => this.#context.policy.renew(message.jws));
        break;
      case "revocation":
        this.#inOrder(() => this.#revoke(message.entry));
        break;
      case "recording-offset":
        this.uploader.acknowledge(message.recording, message.nextSequence, message.complete);
        break;
      case "recording-rejected":
        this.#context.log.error("the control plane rejects a recording", { ...message });
        this.uploader.reject(message.recording);
        break;
      case "event-ack":
        this.#context.outbox.acknowledge(message.id);
        break;
      case "jwks-hint":
        this.#context.jwks.hint(message.issuer, message.kid);
        break;
    }
  }

  #inOrder(work: () => Promise<void>): void {
    this.#policyWork = this.#policyWork.then(work).catch((error: unknown) => {
      this.#context.log.error("a policy message was refused", { error: String(error) });
    });
  }

  async #takeBundle(jws: string): Promise<void> {
    const { policy, log } = this.#context;
    const bundle = await policy.accept(jws);
    log.info("policy", { version: bundle.version, engagements: bundle.engagements.length });
    void this.#context.endWhatMust();
    this.#link.send({ type: "bundle-ack", version: bundle.version });
  }

  /** In force the moment it is here; acknowledged when what it ends has ended. */
  async #revoke(entry: Extract<ServerMessage, { type: "revocation" }>["entry"]): Promise<void> {
    const { policy, log } = this.#context;
    policy.revoke(entry);
    log.info("revocation", { sequence: entry.sequence, level: entry.level, target: entry.target });
    void this.#context.endWhatMust().then((endedSessions) => {
      this.#link.send({ type: "revocation-ack", sequence: entry.sequence, endedSessions });
    });
  }
}
