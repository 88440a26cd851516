import { MAX_REVOCATIONS_AT_ONCE } from "@sallyport/core/messages/host-link.ts";
import type { Hello } from "./check-hello.ts";
import { nothingAfter, type RevocationList } from "./revocation-list.ts";

/** After an answer to a question of the host's, and after one that was many messages: so long the next has to wait. */
const REST_MS = 5000;
const LONG_REST_MS = 60_000;

/** What a {@link RevocationFeed} needs. */
export interface RevocationFeedNeeds {
  list: Pick<RevocationList, "head" | "chainAt" | "page">;
  /** Hands a message to the socket; resolves when it has left us, or never will. */
  send(message: Buffer): Promise<void>;
  /** A question was answered. */
  answered(): void;
}

/**
 * Brings the revocation list to one host that keeps it apart from its bundle: what it missed, then everything new, in order and
 * without a gap, one message at a time as the host takes them. There is no other way for entries to get to such a host, so
 * however pushes and catching up meet, none is left out and none comes twice.
 */
export class RevocationFeed {
  readonly #needs: RevocationFeedNeeds;
  readonly #hello: Hello;
  #comparing: Promise<number> | undefined;
  /** The number up to which the host has been sent the list, and the highest that it ever was on this connection. */
  #sent = 0;
  #most = 0;
  /** The number up to which somebody wants it to have the list. */
  #wanted = 0;
  /** Where to go on instead: the host has less than we thought. */
  #again: number | undefined;
  #isWorking = false;
  #isClosed = false;
  #waiting: { sequence: number; resolve(): void; reject(error: unknown): void }[] = [];
  #asked: number | undefined;
  #rest: NodeJS.Timeout | undefined;

  constructor(needs: RevocationFeedNeeds, hello: Hello) {
    this.#needs = needs;
    this.#hello = hello;
  }

  /** The number up to which the host has been sent the list. */
  get sent(): number {
    return this.#again === undefined ? this.#sent : Math.min(this.#again, this.#sent);
  }

  /** True while nothing is to be sent. */
  get isIdle(): boolean {
    return !this.#isWorking;
  }

  /** Sends what the host missed; resolves when all of it is on its way. */
  async begin(): Promise<void> {
    await this.compare();
    const { sequence } = await this.#needs.list.head();
    await this.reach(sequence);
  }

  /** What the host has of our list, by its own word; 0 where it has another list. */
  async compare(): Promise<number> {
    this.#comparing ??= this.#compare().catch((error: unknown) => {
      this.#comparing = undefined;
      throw error;
    });
    return this.#comparing;
  }

  /** Resolves when the host has been sent all up to this number: what is sent to it then comes after that. */
  async reach(sequence: number): Promise<void> {
    await this.compare();
    if (this.#again === undefined && this.#sent >= sequence) return;
    this.#wanted = Math.max(this.#wanted, sequence);
    const reached = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ sequence, resolve, reject });
    });
    this.#work();
    await reached;
  }

  /** Sends something in any case, which the host answers by what it has: its word may have been lost. */
  async prompt(): Promise<void> {
    await this.compare();
    this.#again = Math.min(this.#again ?? this.#sent, this.#sent);
    this.#work();
  }

  /** The host says what it has: what follows is sent again, though not as often as it likes. */
  query(after: number): void {
    this.#asked = Math.min(this.#asked ?? after, after);
    if (this.#rest === undefined) this.#answer();
  }

  /** True when the host may say that it has all up to this number: it was sent that much, or had it before. */
  async mayHave(sequence: number): Promise<boolean> {
    await this.compare();
    return sequence <= this.#most;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#rest);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  async #compare(): Promise<number> {
    const { revocationSequence: has, revocationChain: chain = "" } = this.#hello;
    const { sequence } = await this.#needs.list.head();
    const isOurs = has <= sequence && (await this.#needs.list.chainAt(has)) === chain;
    if (!isOurs) this.#again = 0;
    this.#sent = isOurs ? has : 0;
    this.#most = this.#sent;
    return this.#sent;
  }

  #answer(): void {
    const after = this.#asked;
    this.#asked = undefined;
    if (after === undefined || this.#isClosed) return;
    const isLong = this.#sent - after > MAX_REVOCATIONS_AT_ONCE;
    this.#rest = setTimeout(
      () => {
        this.#rest = undefined;
        this.#answer();
      },
      isLong ? LONG_REST_MS : REST_MS,
    ).unref();
    void this.compare().then(
      () => {
        // What was never sent cannot be missing; that is on its way already.
        if (after <= this.#sent) this.#again = Math.min(this.#again ?? after, after);
        this.#wanted = Math.max(this.#wanted, this.#sent);
        const resolve = () => this.#needs.answered();
        this.#waiting.push({ sequence: this.#wanted, resolve, reject: () => {} });
        this.#work();
      },
      () => {},
    );
  }

  #work(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    this.#send().then(
      () => {},
      (error: unknown) => {
        this.#isWorking = false;
        for (const { reject } of this.#waiting.splice(0)) reject(error);
      },
    );
  }

  async #send(): Promise<void> {
    while (!this.#isClosed && (this.#again !== undefined || this.#sent < this.#wanted)) {
      const isAnswer = this.#again !== undefined;
      const after = this.#again ?? this.#sent;
      const page = await this.#needs.list.page(after);
      if (this.#isClosed) return;
      // A question came meanwhile that goes back further.
      if (this.#again !== undefined && this.#again !== after) continue;
      if (page === undefined && !isAnswer) throw new Error(`there is no revocation ${this.#wanted}`);
      this.#again = undefined;
      const leaving = this.#needs.send(page?.message ?? nothingAfter(after));
      this.#sent = page?.last ?? after;
      this.#most = Math.max(this.#most, this.#sent);
      this.#settle();
      await leaving;
    }
    this.#isWorking = false;
    this.#settle();
  }

  #settle(): void {
    if (this.#again !== undefined) return;
    const reached = this.#waiting.filter(({ sequence }) => sequence <= this.#sent);
    this.#waiting = this.#waiting.filter(({ sequence }) => sequence > this.#sent);
    for (const { resolve } of reached) resolve();
  }
}
