import { MAX_REVOCATIONS_AT_ONCE } from "@sallyport/core/messages/host-link.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import {
  isLifting,
  type RevocationHead,
  revocationChainAt,
  revocationHead,
  revocationsAfter,
} from "../../database/revocations.ts";
import type { Database } from "../../database/tables.ts";

/** Entries as they go to hosts, made once for all of them. */
export interface RevocationPage {
  after: number;
  last: number;
  /** The whole `revocations` message. */
  message: Buffer;
}

interface CachedPage extends RevocationPage {
  /** The newest number, as its message says. */
  sequence: number;
  /** Where its entries begin. */
  entriesAt: number;
}

/** Bytes of messages that are kept: a list of 100,000 entries is about 37 MB. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_CHAINS = 1000;
/** Entries of which it is known when they came. */
const MAX_TIMES = 1000;

/**
 * The revocation list as hosts read it, one for all links of this replica. It only grows, so that what was made of it stays
 * right: only the newest number changes, which each message says. How many hosts read at once makes no difference to its memory.
 */
export class RevocationList {
  readonly #db: Database;
  readonly #mostBytes: number;
  /** The one used last is last. */
  readonly #pages = new Map<number, CachedPage>();
  readonly #reading = new Map<number, Promise<CachedPage | undefined>>();
  readonly #chains = new Map<number, Promise<string | undefined>>();
  readonly #times = new Map<number, number>();
  #bytes = 0;
  #newest = 0;
  #head: Promise<RevocationHead> | undefined;

  constructor(db: Database, mostBytes = MAX_BYTES) {
    this.#db = db;
    this.#mostBytes = mostBytes;
  }

  /** The newest number that this replica knows of. */
  get newest(): number {
    return this.#newest;
  }

  /** Where the list stands now; those who ask in the same turn of the event loop have one reading. */
  head(): Promise<RevocationHead> {
    this.#head ??= new Promise(setImmediate).then(async () => {
      this.#head = undefined;
      const head = await revocationHead(this.#db);
      this.#newest = Math.max(this.#newest, head.sequence);
      return head;
    });
    return this.#head;
  }

  /** The chain at this number; undefined where the list does not reach so far. */
  async chainAt(sequence: number): Promise<string | undefined> {
    const known = this.#chains.get(sequence);
    if (known !== undefined) return known;
    const reading = revocationChainAt(this.#db, sequence);
    this.#chains.set(sequence, reading);
    if (this.#chains.size > MAX_CHAINS) this.#chains.delete(this.#chains.keys().next().value ?? 0);
    const forget = () => void this.#chains.delete(sequence);
    const chain = await reading.catch((error: unknown) => {
      forget();
      throw error;
    });
    if (chain === undefined) forget();
    return chain;
  }

  /** Entries that are stored: hosts get them without reading them again. */
  offer(entries: readonly Revocation[]): void {
    const newest = entries.at(-1)?.sequence ?? 0;
    for (const { sequence } of entries)
      if (!this.#times.has(sequence)) this.#times.set(sequence, performance.now());
    for (const sequence of this.#times.keys()) {
      if (this.#times.size <= MAX_TIMES) break;
      this.#times.delete(sequence);
    }
    this.#newest = Math.max(this.#newest, newest);
    const after = (entries[0]?.sequence ?? 1) - 1;
    // More than one message, or several calls' in one, are read like all others.
    if (entries.length > 0 && entries.length <= MAX_REVOCATIONS_AT_ONCE && newest - after === entries.length)
      this.#keep(this.#page(after, entries));
  }

  /** Seconds since this replica heard of an entry; undefined when that is long ago. */
  secondsSince(sequence: number): number | undefined {
    const then = this.#times.get(sequence);
    return then === undefined ? undefined : (performance.now() - then) / 1000;
  }

  /** What follows this number, as much as one message holds; undefined where nothing does. */
  async page(after: number): Promise<RevocationPage | undefined> {
    const known = this.#pages.get(after);
    // A small one of long ago is right, too; but whoever missed many of them is not to get them one by one.
    if (known !== undefined && (known.last >= this.#newest || known.last % MAX_REVOCATIONS_AT_ONCE === 0))
      return this.#current(known);
    const reading = this.#reading.get(after) ?? this.#read(after);
    this.#reading.set(after, reading);
    const page = await reading.finally(() => this.#reading.delete(after));
    return page && this.#current(page);
  }

  /** True when some of these entries give back what was taken. */
  async lifts(entries: readonly Revocation[]): Promise<boolean> {
    for (const entry of entries) if (await isLifting(this.#db, entry)) return true;
    return false;
  }

  /** Pages end where the others' do, whoever asks, so that they are shared. */
  async #read(after: number): Promise<CachedPage | undefined> {
    const most = MAX_REVOCATIONS_AT_ONCE - (after % MAX_REVOCATIONS_AT_ONCE);
    const entries = await revocationsAfter(this.#db, after, most);
    if (entries.length === 0) return undefined;
    const page = this.#page(after, entries);
    this.#keep(page);
    return page;
  }

  #page(after: number, entries: readonly Revocation[]): CachedPage {
    const last = after + entries.length;
    if (entries.at(-1)?.sequence !== last) throw new TypeError("the revocation list has a gap");
    this.#newest = Math.max(this.#newest, last);
    const beginning = opening(after, this.#newest);
    const message = Buffer.concat([beginning, Buffer.from(`${JSON.stringify(entries)}}`)]);
    return { after, last, message, sequence: this.#newest, entriesAt: beginning.length };
  }

  #keep(page: CachedPage): void {
    this.#bytes += page.message.length - (this.#pages.get(page.after)?.message.length ?? 0);
    this.#pages.delete(page.after);
    this.#pages.set(page.after, page);
    for (const [after, { message }] of this.#pages) {
      if (this.#bytes <= this.#mostBytes || this.#pages.size === 1) return;
      this.#pages.delete(after);
      this.#bytes -= message.length;
    }
  }

  /** With the newest number as it is now: a host knows by it whether it has all. */
  #current(page: CachedPage): CachedPage {
    if (page.sequence === this.#newest) {
      this.#keep(page);
      return page;
    }
    const beginning = opening(page.after, this.#newest);
    const message = Buffer.concat([beginning, page.message.subarray(page.entriesAt)]);
    const current = { ...page, message, sequence: this.#newest, entriesAt: beginning.length };
    this.#keep(current);
    return current;
  }
}

/** The message of a list that has nothing after this number. */
export function nothingAfter(after: number): Buffer {
  return Buffer.concat([opening(after, after), Buffer.from("[]}")]);
}

function opening(after: number, sequence: number): Buffer {
  return Buffer.from(`{"type":"revocations","after":${after},"sequence":${sequence},"entries":`);
}
