import type { Host } from "../../database/hosts.ts";
import type { HeldList } from "./bundle-feed.ts";
import type { Hello } from "./check-hello.ts";
import type { LinkSocket } from "./link-socket.ts";
import { type OlderNews, OlderRevocationFeed } from "./older-revocation-feed.ts";
import { RevocationAcknowledgements } from "./revocation-acknowledgements.ts";
import { RevocationFeed } from "./revocation-feed.ts";
import type { RevocationList } from "./revocation-list.ts";
import type { StoredAcknowledgements } from "./stored-acknowledgements.ts";

const ACK_MS = 2000;

/** What {@link HostRevocations} needs of this replica. */
export interface HostRevocationsNeeds {
  revocationList: Pick<RevocationList, "head" | "chainAt" | "page" | "newest" | "secondsSince">;
  acknowledgements: Pick<StoredAcknowledgements, "add" | "lower">;
  /** Told how many seconds after it was stored an entry was acknowledged, for metrics. */
  acknowledgedAfter?: (seconds: number) => void;
}

/** The link that it is for. */
export interface RevocationsLink {
  host: Pick<Host, "id" | "revocationSequence">;
  hello: Hello;
  /** The host keeps the list apart from its bundle. */
  keepsList: boolean;
  socket: Pick<LinkSocket, "send" | "sendMade">;
  renewLease(): void;
  publishBundle(): void;
}

/** New entries of the list. */
export interface RevocationNews {
  first: number;
  last: number;
  /** In the words of older hosts: made when the first of them asks. */
  older(): Promise<OlderNews>;
}

/** Revocations between us and one host, whichever way it takes them: what it is sent, and what it says to it. */
export class HostRevocations {
  readonly #needs: HostRevocationsNeeds;
  readonly #link: RevocationsLink;
  readonly #feed: RevocationFeed | undefined;
  readonly #older: OlderRevocationFeed | undefined;
  readonly #acknowledgements = new RevocationAcknowledgements();
  #beginning: Promise<void> | undefined;

  constructor(needs: HostRevocationsNeeds, link: RevocationsLink) {
    this.#needs = needs;
    this.#link = link;
    if (link.keepsList) {
      this.#feed = new RevocationFeed(
        {
          list: needs.revocationList,
          send: (message) => link.socket.sendMade(message),
          // What it asked for may give access back: that counts only by a signed word.
          answered: () => link.renewLease(),
        },
        link.hello,
      );
    } else this.#older = new OlderRevocationFeed((message) => link.socket.send(message));
  }

  /** How far the host has been sent the list; undefined where it has it in its bundle. */
  get list(): HeldList | undefined {
    return this.#feed;
  }

  /** How far the host says that it has the list. */
  get acknowledged(): number {
    return this.#acknowledgements.sequence;
  }

  /** Sends what the host missed; resolves when it is on its way. */
  begin(): Promise<void> {
    this.#beginning ??= this.#begin().catch((error: unknown) => {
      this.#beginning = undefined;
      throw error;
    });
    return this.#beginning;
  }

  /** Sends what is new. */
  async send(news: RevocationNews): Promise<void> {
    await this.#feed?.reach(news.last);
    if (this.#older === undefined) return;
    this.#older.push(await news.older());
    this.#link.publishBundle();
  }

  /** The sessions that these ended, or undefined when the host did not say within 2 s that it has them. */
  answer(news: RevocationNews): Promise<string[] | undefined> {
    return this.#acknowledgements.wait(news, ACK_MS);
  }

  /** The host says that it has all up to this number. What it was never sent it cannot have. */
  async heard(sequence: number, endedSessions: string[]): Promise<void> {
    if (this.#feed === undefined) return this.#heardOlder(sequence, endedSessions);
    if (await this.#feed.mayHave(sequence)) this.#inForce(sequence, endedSessions);
  }

  /** The host asks for what follows a number. */
  query(after: number): void {
    this.#feed?.query(after);
  }

  /** A host that has the list in its bundle uses one with all entries up to this number. */
  inBundle(sequence: number): void {
    if (sequence > this.acknowledged) this.#inForce(sequence, []);
  }

  close(): void {
    this.#feed?.close();
    this.#acknowledgements.close();
  }

  async #begin(): Promise<void> {
    const { host, hello } = this.#link;
    const has = (await this.#feed?.compare()) ?? hello.revocationSequence;
    if (has < host.revocationSequence) this.#needs.acknowledgements.lower(host.id, has);
    // Only what it has said before: that it has entries does not mean yet that what they end has ended.
    const known = Math.min(has, host.revocationSequence);
    if (known > this.acknowledged) this.#acknowledgements.acknowledged(known, []);
    if (has > host.revocationSequence) await this.#feed?.prompt();
    await this.#feed?.begin();
  }

  /** Such a host answers to single entries: that means those before only where it has said so of them. */
  #heardOlder(sequence: number, endedSessions: string[]): void {
    // One that there is not could not be stored, and nothing with it.
    if (sequence > this.#needs.revocationList.newest) return;
    if (sequence <= this.acknowledged + 1) this.#inForce(sequence, endedSessions);
    else this.#acknowledgements.acknowledgedAlone(sequence, endedSessions);
  }

  #inForce(sequence: number, endedSessions: string[]): void {
    const isNews = sequence > this.acknowledged;
    // It is stored, or about to be: saying it again, as often as a host likes, is no work for the database.
    if (!isNews && endedSessions.length === 0) return;
    this.#acknowledgements.acknowledged(sequence, endedSessions);
    this.#needs.acknowledgements.add(this.#link.host.id, sequence, endedSessions);
    const after = isNews ? this.#needs.revocationList.secondsSince(sequence) : undefined;
    if (after !== undefined) this.#needs.acknowledgedAfter?.(after);
  }
}
