import { COMMANDS_CAPABILITY, type ServerMessage } from "@sallyport/core/messages/host-link.ts";
import type { Host } from "../../database/hosts.ts";
import type { Bundles } from "../../policy/bundles.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { Hello } from "./check-hello.ts";

const ACK_MS = 2000;

interface Needs {
  bundles: Pick<Bundles, "current" | "lease">;
  send(message: ServerMessage): void;
}

/** Keeps one host's bundle and lease current: sends a bundle only when it differs from what the host has. */
export class BundleFeed {
  readonly #needs: Needs;
  readonly #host: Host;
  readonly #acknowledgements = new Acknowledgements<true>();
  readonly #knowsModes: boolean;
  #sent: number;
  #acknowledged: number;
  /** What the host was not sent after its sign-in, because the policy key was away. */
  #owed: { hello: Hello; whole: boolean } | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(needs: Needs, host: Host, hello: Hello) {
    this.#needs = needs;
    this.#host = host;
    this.#knowsModes = hello.capabilities?.includes(COMMANDS_CAPABILITY) ?? false;
    this.#sent = hello.bundleVersion;
    this.#acknowledged = hello.bundleVersion;
  }

  /**
   * After sign-in: the bundle when the host's is not the current one or misses revocations, or when it has to be the
   * `whole` one, else a fresh lease. Where that fails, {@link renew} makes up for it.
   */
  async begin(hello: Hello, whole = false): Promise<void> {
    this.#owed = { hello, whole };
    await this.#inOrder(async () => {
      const bundle = await this.#current(hello.bundleVersion);
      const isCurrent =
        bundle.version === hello.bundleVersion && bundle.revocationSequence <= hello.revocationSequence;
      if (isCurrent && !whole) {
        this.#needs.send({
          type: "lease",
          jws: await this.#needs.bundles.lease(this.#host.id, bundle.version),
        });
      } else {
        this.#sent = bundle.version;
        this.#needs.send({ type: "bundle", jws: bundle.jws });
      }
      this.#owed = undefined;
    });
  }

  /** Sends the whole bundle although the host has it: another key signs it now. */
  async resend(): Promise<void> {
    await this.#inOrder(async () => {
      const bundle = await this.#current();
      this.#sent = bundle.version;
      this.#needs.send({ type: "bundle", jws: bundle.jws });
    });
  }

  /** Sends the current bundle unless the host has it; true when it has, false when it did not say so within 2 s. */
  async publish(): Promise<boolean> {
    const version = await this.#inOrder(async () => {
      const bundle = await this.#current();
      if (bundle.version > this.#sent) {
        this.#sent = bundle.version;
        this.#needs.send({ type: "bundle", jws: bundle.jws });
      }
      return bundle.version;
    });
    if (this.#acknowledged >= version) return true;
    return (await this.#acknowledgements.wait(version, ACK_MS)) ?? false;
  }

  /** Prolongs the lease, or sends the whole bundle again to a host that has not said that it has it. */
  async renew(): Promise<void> {
    if (this.#owed !== undefined) return this.begin(this.#owed.hello, this.#owed.whole);
    await this.#inOrder(async () => {
      if (this.#acknowledged >= this.#sent) {
        this.#needs.send({ type: "lease", jws: await this.#needs.bundles.lease(this.#host.id, this.#sent) });
      } else {
        const bundle = await this.#current();
        this.#sent = bundle.version;
        this.#needs.send({ type: "bundle", jws: bundle.jws });
      }
    });
  }

  /** The host says that it uses this version. */
  acknowledged(version: number): void {
    if (version > this.#sent) return;
    this.#acknowledged = Math.max(this.#acknowledged, version);
    this.#acknowledgements.resolve(version, true, { orLower: true });
  }

  close(): void {
    this.#acknowledgements.close();
  }

  #current(hostHas = 0) {
    return this.#needs.bundles.current(this.#host, hostHas, this.#knowsModes);
  }

  // One at a time: versions must leave in the order in which they were made.
  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
