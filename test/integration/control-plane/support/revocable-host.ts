import { join } from "node:path";
import { RevocationSync } from "@sallyport/agent/control-plane/revocation-sync.ts";
import { PolicyStore } from "@sallyport/agent/policy/policy-store.ts";
import type { ServerMessage } from "@sallyport/core/messages/host-link.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import type { RevocationSubject } from "@sallyport/core/policy/revocation.ts";
import { ControlPlaneLink } from "@sallyport/uplink/link/control-plane-link.ts";
import type { Logger } from "winston";
import type { TestHost } from "./host.ts";

type Incoming = Exclude<ServerMessage, { type: "challenge" | "welcome" }>;

/**
 * A host that has the agent's own link, policy and revocation list on its disk, and sessions that are no more than their names: ended
 * when the list says so.
 */
export class RevocableHost {
  readonly host: TestHost;
  readonly policy: PolicyStore;
  /** What must not be: entries that were missing, malformed or not stored, and an acknowledgement of what was not in force. */
  readonly wrong: string[] = [];
  /** The highest number that it ever acknowledged. */
  acknowledged = 0;
  /** Live sessions, by what the revocation list knows them by. */
  sessions: RevocationSubject[] = [];
  /** Until then no session ends. */
  held: Promise<void> = Promise.resolve();
  readonly #server: string;
  readonly #sync: RevocationSync;
  #link: ControlPlaneLink | undefined;
  #gone: Promise<void> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();

  constructor(host: TestHost, has: { server: string; trust: Trust; directory: string }) {
    this.host = host;
    this.#server = has.server;
    this.policy = new PolicyStore(join(has.directory, host.name), host.id, has.trust.policyKeys);
    const log = {
      info: () => {},
      warn: (message: string) => this.wrong.push(message),
      error: (message: string) => this.wrong.push(message),
    };
    this.#sync = new RevocationSync({
      policy: this.policy,
      send: (message) => {
        if (message.type === "revocation-ack") this.#acknowledge(message.sequence);
        return this.#link?.send(message) ?? false;
      },
      endWhatMust: async () => {
        await this.held;
        this.sessions = this.sessions.filter((session) => !this.#isRevoked(session));
        return [];
      },
      onChanged: () => {},
      log: log as unknown as Logger,
    });
  }

  get isConnected(): boolean {
    return this.#link?.connected ?? false;
  }

  get sequence(): number {
    return this.policy.list.sequence;
  }

  /** Connects, as an agent that has just started does. */
  connect(): void {
    const gone = Promise.withResolvers<void>();
    this.#gone = gone.promise;
    this.#link = new ControlPlaneLink({
      ...{ server: this.#server, hostId: this.host.id, hostKey: this.host.key, agentVersion: "test" },
      bundleVersion: () => this.policy.bundle?.version ?? 0,
      revocationSequence: () => this.policy.list.sequence,
      revocationChain: () => this.policy.list.chain,
      onMessage: (message) => this.#receive(message),
      onConnected: () => this.#inOrder(async () => this.#sync.connected()),
      onDisconnected: () => gone.resolve(),
      onClock: () => {},
    });
    this.#link.start();
  }

  /** Ends the link. */
  leave(): void {
    this.#link?.close();
  }

  /** Resolves when the link has broken, and what came before that is dealt with; it is not made again. */
  async cutOff(): Promise<void> {
    // Where there was none yet, nothing has come.
    if (this.isConnected) await this.#gone;
    this.#link?.close();
    await this.#work;
  }

  close(): void {
    this.#link?.close();
    this.policy.list.close();
  }

  #receive(message: Incoming): void {
    if (message.type === "revocations") {
      const ended = this.#sync.narrow(message);
      this.#inOrder(() => this.#sync.take(message, ended));
    } else if (message.type === "bundle")
      this.#inOrder(async () => {
        const { version } = await this.policy.accept(message.jws);
        this.#link?.send({ type: "bundle-ack", version });
        this.#sync.askForWhatIsMissing();
      });
    else if (message.type === "lease")
      this.#inOrder(async () => {
        await this.policy.renew(message.jws);
        this.#sync.askForWhatIsMissing();
      });
  }

  #inOrder(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => void this.wrong.push(String(error)));
  }

  #acknowledge(sequence: number): void {
    if (sequence > this.sequence) this.wrong.push(`${sequence} is acknowledged, ${this.sequence} is stored`);
    if (this.sessions.some((session) => this.#isRevoked(session))) this.wrong.push("a session goes on");
    this.acknowledged = Math.max(this.acknowledged, sequence);
  }

  #isRevoked(session: RevocationSubject): boolean {
    return this.policy.revocations.find(session) !== undefined;
  }
}
