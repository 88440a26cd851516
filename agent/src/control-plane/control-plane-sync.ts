import type { KeyObject } from "node:crypto";
import type { HostFacts } from "@sallyport/core/messages/host-facts.ts";
import type { HostEvent, ServerMessage } from "@sallyport/core/messages/host-link.ts";
import { type KeyStatement, keyName } from "@sallyport/core/messages/key-succession.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import { ControlPlaneLink, type LinkState } from "@sallyport/uplink/link/control-plane-link.ts";
import { Uploader } from "@sallyport/uplink/upload/uploader.ts";
import type { Logger } from "winston";
import type { ClockSkew } from "../clock/clock-skew.ts";
import type { HostClock } from "../clock/host-clock.ts";
import type { HostCertificates } from "../host-certificates/host-certificates.ts";
import type { JwksCache } from "../policy/jwks-cache.ts";
import type { PolicyStore } from "../policy/policy-store.ts";
import type { PinnedKeys } from "../trust/pinned-keys.ts";
import { RevocationSync } from "./revocation-sync.ts";

const HEARTBEAT_MS = 15_000;
/** What its clock is called where clocks are compared. */
const CONTROL_PLANE = "the control plane";
const EVENT_DELAY_MS = 250;

export interface SyncContext {
  server: string;
  hostId: string;
  hostKey: KeyObject;
  version: string;
  spool: string;
  rejected: string;
  /** Where stored recordings stay for a while, or null. */
  kept: string | null;
  /** A recording was stored or set aside. */
  onSpoolChanged(recording: SessionId): void;
  /** A recording can never be uploaded; said once. */
  onRefused(recording: SessionId, reason: string): void;
  policy: PolicyStore;
  keys: Pick<PinnedKeys, "accept" | "fingerprints" | "trust">;
  hostCertificates: Pick<HostCertificates, "held" | "install">;
  jwks: JwksCache;
  /** Hears of the times that the control plane signs. */
  clock: Pick<HostClock, "confirm">;
  skew: Pick<ClockSkew, "note">;
  /** Ends sessions and connections that may not go on under the policy as it is now; resolves with the sessions' ids. */
  endWhatMust(): Promise<SessionId[]>;
  /** The revocation list has changed. */
  onRevocations(): void;
  liveSessions(): SessionId[];
  /** Bytes of the recordings here, told with each heartbeat. */
  spoolBytes(): number;
  /** What the host is, once that is known. */
  facts(): HostFacts | undefined;
  /** A block was handed to the link. */
  onBlockSent(): void;
  outbox: Outbox;
  log: Logger;
}

/** Everything between this host and its control plane: policy and revocations in, events and recordings out. */
export class ControlPlaneSync {
  readonly #context: SyncContext;
  readonly #link: ControlPlaneLink;
  /** The revocation list, where the control plane sends it apart from the policy. */
  readonly revocations: RevocationSync;
  readonly uploader: Uploader;
  #heartbeat: NodeJS.Timeout | undefined;
  /** The facts that were sent on this connection. */
  #toldFacts: HostFacts | undefined;
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
      revocationSequence: () => context.policy.list.sequence,
      revocationChain: () => context.policy.list.chain,
      onMessage: (message) => this.#receive(message),
      onConnected: () => this.#connected(),
      onDisconnected: (reason) => context.log.warn("the control plane is gone", { reason }),
      onClock: (seconds) => context.skew.note(CONTROL_PLANE, seconds),
    });
    this.#link = link;
    this.revocations = new RevocationSync({
      ...{ policy: context.policy, endWhatMust: () => context.endWhatMust(), log: context.log },
      send: (message) => link.send(message),
      onChanged: () => context.onRevocations(),
    });
    const sender = {
      get connected() {
        return link.connected;
      },
      get congested() {
        return link.congested;
      },
      query: (recording: SessionId) => link.send({ type: "recording-query", recording }),
      sendBlock: (block: Uint8Array, onFlushed: () => void) => {
        const sent = link.sendBlock(block, onFlushed);
        if (sent) context.onBlockSent();
        return sent;
      },
    };
    this.uploader = new Uploader({
      ...{ spool: context.spool, rejected: context.rejected, kept: context.kept, sender },
      onStored: (recording) => {
        context.log.info("a recording is stored", { recording });
        context.onSpoolChanged(recording);
      },
      onRefused: (recording, reason) => {
        context.onRefused(recording, reason);
        context.onSpoolChanged(recording);
      },
      onStuck: (recording, error) =>
        context.log.error("a recording cannot be moved", { recording, error: String(error) }),
    });
    context.outbox.onAdded = (event) => this.#sendSoon(event);
  }

  /** How the link to the control plane stands. */
  get linkState(): LinkState {
    return this.#link.state;
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
    this.#toldFacts = undefined;
    this.#inOrder(async () => this.revocations.connected());
    this.#inOrder(async () => this.#tellKeys());
    this.#inOrder(async () => this.#tellHostKeys());
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
    if (!this.#link.connected) return;
    const [liveSessions, spoolBytes] = [this.#context.liveSessions(), this.#context.spoolBytes()];
    const facts = this.#context.facts();
    const news = facts === undefined || facts === this.#toldFacts ? {} : { facts };
    const clock = Date.now() / 1000;
    if (this.#link.send({ type: "heartbeat", liveSessions, spoolBytes, clock, ...news }))
      this.#toldFacts = facts;
  }

  #receive(message: Exclude<ServerMessage, { type: "challenge" | "welcome" }>): void {
    switch (message.type) {
      case "bundle":
        this.#inOrder(() => this.#takeBundle(message.jws));
        break;
      case "lease":
        this.#inOrder(() => this.#takeLease(message.jws));
        break;
      case "revocation":
        this.#inOrder(() => this.#revoke(message.entry));
        break;
      case "revocations": {
        const ended = this.revocations.narrow(message);
        this.#inOrder(() => this.revocations.take(message, ended));
        break;
      }
      case "key-statement":
        this.#inOrder(async () => this.#takeKeyStatement(message.statement));
        break;
      case "host-certificates":
        this.#inOrder(async () => this.#takeHostCertificates(message.certificates));
        break;
      case "recording-offset":
        this.uploader.acknowledge(message.recording, message.nextSequence, message.complete);
        break;
      case "recording-later":
        this.uploader.postpone(message.recording);
        break;
      case "recording-rejected":
        this.uploader.reject(message.recording, `The control plane rejects it: ${message.code}`);
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

  #tellKeys(): void {
    this.#link.send({ type: "keys-pinned", keys: this.#context.keys.fingerprints() });
  }

  #tellHostKeys(): void {
    const keys = this.#context.hostCertificates.held().map(({ key, certificate }) => ({ key, certificate }));
    this.#link.send({ type: "ssh-host-keys", keys: keys.slice(0, 10) });
  }

  #takeKeyStatement(statement: KeyStatement): void {
    const { keys, policy, log } = this.#context;
    if (!keys.accept(statement)) return;
    policy.trust(keys.trust.policyKeys);
    this.#context.onRevocations(); // certificates of another CA may count now
    const { type, kind, old } = statement;
    log.info("a key of the control plane", { type, kind, old: keyName(old), new: keyName(statement.new) });
    this.#tellKeys();
  }

  #takeHostCertificates(certificates: readonly string[]): void {
    const files = this.#context.hostCertificates.install(certificates);
    this.#context.log.info("host certificates renewed", { files });
    this.#tellHostKeys();
  }

  async #takeLease(jws: string): Promise<void> {
    const { policy, endWhatMust } = this.#context;
    const unvouched = policy.list.unvouched;
    const { issuedAt } = await policy.renew(jws);
    this.#hearTime(issuedAt);
    this.revocations.askForWhatIsMissing();
    // Access may have been given back, and with it an account.
    if (policy.list.unvouched < unvouched) void endWhatMust().then(() => this.#context.onRevocations());
  }

  /** It has just been signed, in whole seconds. */
  #hearTime(issuedAt: number): void {
    this.#context.skew.note(CONTROL_PLANE, issuedAt + 0.5 - Date.now() / 1000);
    this.#context.clock.confirm(issuedAt);
  }

  async #takeBundle(jws: string): Promise<void> {
    const { policy, log } = this.#context;
    const bundle = await policy.accept(jws);
    this.#hearTime(bundle.issuedAt);
    log.info("policy", { version: bundle.version, engagements: bundle.engagements.length });
    void this.#context.endWhatMust();
    this.#link.send({ type: "bundle-ack", version: bundle.version });
    this.revocations.askForWhatIsMissing();
    this.#context.onRevocations();
  }

  /** In force the moment it is here; acknowledged when what it ends has ended. */
  async #revoke(entry: Extract<ServerMessage, { type: "revocation" }>["entry"]): Promise<void> {
    const { policy, log } = this.#context;
    let kept = true;
    try {
      policy.revoke(entry);
    } catch (error) {
      // The disk is full: it is in force all the same, and as it is not acknowledged it comes again.
      kept = false;
      log.error("a revocation could not be stored", { sequence: entry.sequence, error: String(error) });
    }
    log.info("revocation", { sequence: entry.sequence, level: entry.level, target: entry.target });
    void this.#context.endWhatMust().then((endedSessions) => {
      if (kept) this.#link.send({ type: "revocation-ack", sequence: entry.sequence, endedSessions });
    });
  }
}
