import { randomUUID } from "node:crypto";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { NOT_FOR_BUNDLES } from "../audit/concerns-hosts.ts";
import { lastLeafOfOthers } from "../database/audit-events.ts";
import { treeSize } from "../database/audit-tree.ts";
import { type Notification, notify } from "../database/notifications.ts";
import {
  beat,
  connectedHosts,
  forgetLink,
  leave,
  linksOf,
  noteBundles,
  noteLink,
  removedHosts,
} from "../database/replicas.ts";
import { hostsThatHave } from "../database/revocation-acknowledgements.ts";
import { revocationSequence, revocationsAfter } from "../database/revocations.ts";
import type { Database } from "../database/tables.ts";
import type { Log } from "../environment.ts";
import type { ConnectedHosts, RevocationEcho } from "../hosts/connected-hosts.ts";
import type { HostConnections } from "../hosts/host-connections.ts";
import type { HostLink } from "../hosts/link/host-link.ts";
import type { StoredAcknowledgements } from "../hosts/link/stored-acknowledgements.ts";
import { errorFields } from "../log.ts";
import { Answers } from "./answers.ts";
import { Batches } from "./batches.ts";
import { Listener } from "./listener.ts";

/** How often a replica says that it is there, and looks for what it was not told of, in milliseconds. */
const BEAT = 2000;
/** How long hosts of other replicas are waited for. */
const ACK_MS = 2000;

/** What {@link ReplicatedHosts} needs. `url` is the database's. */
export interface ReplicatedHostsNeeds {
  db: Database;
  url: string;
  log: Log;
  local: ConnectedHosts;
  /** What hosts of this replica say of revocations. */
  acknowledgements: Pick<StoredAcknowledgements, "onStored">;
}

/**
 * Hosts of several replicas behind one PostgreSQL. Every replica follows the audit log: whatever changes policy is an event
 * in it, stored in the same transaction, so that nothing is missed whoever dies when. Notifications only make it quick.
 */
export class ReplicatedHosts implements HostConnections {
  readonly id = `rep_${randomUUID()}`;
  readonly #needs: ReplicatedHostsNeeds;
  readonly #listener: Listener;
  readonly #answers = new Answers();
  readonly #published: Batches<{ hostId: string; leaf: number }>;
  #beat: NodeJS.Timeout | undefined;
  /** Leaves of the audit log, and revocations, that were followed. */
  #size = 0;
  #sequence = 0;
  /** The newest leaf that was news for hosts, and the one of the last {@link publishBundles}. */
  #news = -1;
  #asked = -1;
  #publication: Promise<Set<string>> = Promise.resolve(new Set());
  #following: Promise<void> = Promise.resolve();
  #isToFollow = false;
  #linking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(needs: ReplicatedHostsNeeds) {
    this.#needs = needs;
    this.#listener = new Listener(needs.url, {
      heard: (notification) => this.#heard(notification),
      listening: () => this.#look(),
    });
    needs.acknowledgements.onStored(() => {
      notify(needs.db, { type: "answered", from: this.id }).catch((error: unknown) => this.#trouble(error));
    });
    const failed = (error: unknown) => this.#trouble(error);
    this.#published = new Batches((items) => this.#storePublished(items), failed);
  }

  /** Begins to follow, from what is stored now; before the first host connects. */
  async start(): Promise<void> {
    const { db } = this.#needs;
    await beat(db, this.id);
    this.#size = await treeSize(db);
    this.#sequence = await revocationSequence(db);
    this.#news = (await lastLeafOfOthers(db, { first: 0, end: this.#size }, NOT_FOR_BUNDLES)) ?? -1;
    this.#asked = this.#news;
    this.#listener.start();
    this.#beat = setInterval(() => void this.#onBeat(), BEAT).unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#beat);
    await this.#listener.close();
    await this.#linking;
    await this.#following.catch(() => {});
    await leave(this.#needs.db, this.id).catch((error: unknown) => this.#trouble(error));
  }

  add(link: HostLink): void {
    this.#needs.local.add(link);
    const { db } = this.#needs;
    const hostId = link.host.id;
    this.#inOrder(async () => {
      await noteLink(db, hostId, this.id);
      await notify(db, { type: "linked", from: this.id, hostId });
      const leaf = this.#news;
      void link.publishBundle().then((has) => has && this.#published.add({ hostId, leaf }));
    });
  }

  remove(link: HostLink): void {
    if (!this.#needs.local.has(link)) return;
    this.#needs.local.remove(link);
    this.#inOrder(() => forgetLink(this.#needs.db, link.host.id, this.id));
  }

  async connected(): Promise<ReadonlySet<string>> {
    return new Set((await connectedHosts(this.#needs.db)).keys());
  }

  async revoke(entries: readonly Revocation[]): Promise<RevocationEcho[]> {
    const { db, local } = this.#needs;
    const sequences = entries.map(({ sequence }) => sequence);
    if (sequences.length === 0) return [];
    // Here first, and whatever comes of the rest: they are stored already.
    const here = local.revoke(entries);
    here.catch(() => {});
    await this.follow().catch((error: unknown) => this.#trouble(error));
    let have = new Map<string, string[]>();
    let others: string[] = [];
    const heard = async () => {
      others = [...(await connectedHosts(db, this.id)).keys()];
      have = await hostsThatHave(db, sequences);
      return others.every((hostId) => have.has(hostId));
    };
    await this.#answers.until(heard, ACK_MS).catch((error: unknown) => this.#trouble(error));
    const echoes = new Map<string, RevocationEcho>();
    for (const hostId of [...others, ...have.keys()])
      echoes.set(hostId, { hostId, acknowledged: have.has(hostId), endedSessions: have.get(hostId) ?? [] });
    for (const echo of await here)
      if (echo.acknowledged || !have.has(echo.hostId)) echoes.set(echo.hostId, echo);
    return [...echoes.values()];
  }

  async publishBundles(): Promise<ReadonlySet<string>> {
    const { db, local } = this.#needs;
    await this.follow();
    const leaf = this.#news;
    // Where no event tells the others of it, this does.
    if (leaf === this.#asked) await notify(db, { type: "publish", from: this.id });
    const here = leaf === this.#asked ? local.publishBundles() : this.#publication;
    this.#asked = leaf;
    let elsewhere = new Map<string, number>();
    const heard = async () => {
      elsewhere = await connectedHosts(db, this.id);
      return [...elsewhere.values()].every((has) => has >= leaf);
    };
    await this.#answers.until(heard, ACK_MS);
    const there = [...elsewhere].filter(([, has]) => has >= leaf).map(([hostId]) => hostId);
    return new Set([...(await here), ...there]);
  }

  hintKeys(issuer: string, kid: string): void {
    this.#needs.local.hintKeys(issuer, kid);
    if (issuer.length > 500 || kid.length > 255) return;
    notify(this.#needs.db, { type: "keys", from: this.id, issuer, kid }).catch((error: unknown) =>
      this.#trouble(error),
    );
  }

  disconnect(hostId: string): void {
    // The other replicas find that it was removed when they follow.
    this.#needs.local.disconnect(hostId);
  }

  /** Tells hosts that are connected here what was committed, by whomever, before this is called. */
  follow(): Promise<void> {
    if (!this.#isToFollow) {
      this.#isToFollow = true;
      this.#following = this.#following.catch(() => {}).then(() => this.#catchUp());
    }
    return this.#following;
  }

  async #catchUp(): Promise<void> {
    this.#isToFollow = false;
    const { db, local } = this.#needs;
    const size = await treeSize(db);
    const news = await lastLeafOfOthers(db, { first: this.#size, end: size }, NOT_FOR_BUNDLES);
    const entries = await revocationsAfter(db, this.#sequence);
    local.revoke(entries).catch((error: unknown) => this.#trouble(error));
    this.#sequence = entries.at(-1)?.sequence ?? this.#sequence;
    this.#size = size;
    if (news === undefined || this.#isClosed) return;
    this.#news = news;
    this.#publication = local.publishBundles((hostId) => this.#published.add({ hostId, leaf: news }));
    this.#publication.catch((error: unknown) => this.#trouble(error));
    for (const hostId of await removedHosts(db, local.ids())) local.disconnect(hostId);
  }

  async #storePublished(items: { hostId: string; leaf: number }[]): Promise<void> {
    const { db } = this.#needs;
    for (const [leaf, some] of Map.groupBy(items, (item) => item.leaf)) {
      await noteBundles(
        db,
        this.id,
        some.map(({ hostId }) => hostId),
        leaf,
      );
    }
    await notify(db, { type: "answered", from: this.id });
  }

  #heard(notification: Notification): void {
    const { local } = this.#needs;
    const { type } = notification;
    if (type === "log-grown") this.#look();
    else if (notification.from === this.id) return;
    else if (type === "publish") void local.publishBundles();
    else if (type === "answered") this.#answers.wake();
    else if (type === "keys") local.hintKeys(notification.issuer, notification.kid);
    else if (local.ids().includes(notification.hostId)) this.#inOrder(() => this.#agreeOnLinks());
  }

  #look(): void {
    this.follow().catch((error: unknown) => this.#trouble(error));
  }

  async #onBeat(): Promise<void> {
    this.#listener.check();
    this.#inOrder(async () => {
      await beat(this.#needs.db, this.id);
      await this.#agreeOnLinks();
    });
    this.#look();
  }

  /** A host is connected to whom it connected to last; what the database has lost it gets again. */
  async #agreeOnLinks(): Promise<void> {
    const { db, local } = this.#needs;
    const ids = local.ids();
    const known = await linksOf(db, ids);
    for (const hostId of ids) {
      const replica = known.get(hostId);
      if (replica === undefined) await noteLink(db, hostId, this.id);
      else if (replica !== this.id) local.giveUp(hostId);
    }
  }

  #inOrder(work: () => Promise<unknown>): void {
    this.#linking = this.#linking.then(work).then(
      () => undefined,
      (error: unknown) => this.#trouble(error),
    );
  }

  #trouble(error: unknown): void {
    if (this.#isClosed) return;
    this.#needs.log.error("replication failed, and is tried again", errorFields(error));
  }
}
