import type { ServerMessage } from "@sallyport/core/messages/host-link.ts";
import type { Host } from "../../database/hosts.ts";
import type { HostWords } from "../../policy/bundle-content.ts";
import type { Bundles, SignedBundle, SignedLease } from "../../policy/bundles.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { Hello } from "./check-hello.ts";

const ACK_MS = 2000;
/** So often a document is signed anew because the revocation list has grown meanwhile; then it goes as it is. */
const MOST_TRIES = 5;

/** How far one host has the revocation list. */
export interface HeldList {
  /** The number up to which it was sent; what is signed for less does not count there any more. */
  readonly sent: number;
  readonly isIdle: boolean;
  /** Resolves when the host was sent all up to this number. */
  reach(sequence: number): Promise<void>;
}

interface Needs {
  bundles: Pick<Bundles, "current" | "lease">;
  words: HostWords;
  /** Undefined where the list is in the bundle. */
  list: HeldList | undefined;
  send(message: ServerMessage): void;
  /** A host that has the list in its bundle has it up to this number. */
  listInForce(sequence: number): void;
}

/** Keeps one host's bundle and lease current: sends a bundle only when it differs from what the host has. */
export class BundleFeed {
  readonly #needs: Needs;
  readonly #host: Host;
  readonly #acknowledgements = new Acknowledgements<true>();
  #sent: number;
  #acknowledged: number;
  /** The number of the list in the bundle that was sent last. */
  #sentList = 0;
  /** What the host was not sent after its sign-in, because the policy key was away. */
  #owed: { hello: Hello; whole: boolean } | undefined;
  #hasBegun = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(needs: Needs, host: Host, hello: Hello) {
    this.#needs = needs;
    this.#host = host;
    this.#sent = hello.bundleVersion;
    this.#acknowledged = hello.bundleVersion;
  }

  /**
   * After sign-in: the bundle when the host's is not the current one or misses revocations that it should have, or when it has to be
   * the `whole` one, else a fresh lease. Where that fails, {@link renew} makes up for it.
   */
  async begin(hello: Hello, whole = false): Promise<void> {
    this.#owed = { hello, whole };
    this.#hasBegun = true;
    await this.#inOrder(async () => {
      const bundle = await this.#current(hello.bundleVersion);
      const hasList = this.#needs.words.revocations || bundle.revocationSequence <= hello.revocationSequence;
      if (bundle.version === hello.bundleVersion && hasList && !whole) await this.#sendLease();
      else await this.#sendBundle(bundle);
      this.#owed = undefined;
    });
  }

  /** Sends the whole bundle although the host has it: another key signs it now. */
  async resend(): Promise<void> {
    await this.#inOrder(async () => this.#sendBundle(await this.#current()));
  }

  /** Sends the current bundle unless the host has it; true when it has, false when it did not say so within 2 s. */
  async publish(): Promise<boolean> {
    const publishing = this.#inOrder(async () => {
      const bundle = await this.#current();
      if (bundle.version > this.#sent) await this.#sendBundle(bundle);
      return this.#sent;
    });
    const answer = publishing.then(async (version) => {
      if (this.#acknowledged >= version) return true;
      return (await this.#acknowledgements.wait(version, ACK_MS)) ?? false;
    });
    // The list comes first, and a host that missed much of it may take it slowly: nobody is to wait for that.
    return this.#needs.list?.isIdle === false ? within(ACK_MS, answer) : answer;
  }

  /** Prolongs the lease, or sends the whole bundle again to a host that has not said that it has it; after {@link begin} only. */
  async renew(): Promise<void> {
    if (!this.#hasBegun) return;
    if (this.#owed !== undefined) return this.begin(this.#owed.hello, this.#owed.whole);
    await this.#inOrder(async () => {
      if (this.#acknowledged >= this.#sent) await this.#sendLease();
      else await this.#sendBundle(await this.#current());
    });
  }

  /** The host says that it uses this version. */
  acknowledged(version: number): void {
    if (version > this.#sent) return;
    this.#acknowledged = Math.max(this.#acknowledged, version);
    this.#acknowledgements.resolve(version, true, { orLower: true });
    if (version === this.#sent && this.#sentList > 0) this.#needs.listInForce(this.#sentList);
  }

  close(): void {
    this.#acknowledgements.close();
  }

  #current(hostHas = 0): Promise<SignedBundle> {
    return this.#needs.bundles.current(this.#host, hostHas, this.#needs.words);
  }

  async #sendBundle(made: SignedBundle): Promise<void> {
    const bundle = await this.#afterList(made, () => this.#current());
    this.#sent = Math.max(this.#sent, bundle.version);
    this.#sentList = this.#needs.list === undefined ? bundle.revocationSequence : 0;
    this.#needs.send({ type: "bundle", jws: bundle.jws });
  }

  async #sendLease(): Promise<void> {
    const { bundles, words } = this.#needs;
    const make = () => bundles.lease(this.#host.id, this.#sent, words);
    const lease = await this.#afterList(await make(), make);
    this.#needs.send({ type: "lease", jws: lease.jws });
  }

  /** A signed document counts on a host that has the list up to its number and no further: entries go before it, and it is of now. */
  async #afterList<T extends SignedLease>(made: T, again: () => Promise<T>): Promise<T> {
    const { list } = this.#needs;
    if (list === undefined) return made;
    let signed = made;
    for (let tries = 1; ; tries++) {
      await list.reach(signed.revocationSequence);
      if (tries === MOST_TRIES || list.sent <= signed.revocationSequence) return signed;
      signed = await again();
    }
  }

  // One at a time: versions must leave in the order in which they were made.
  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

async function within(ms: number, answer: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
