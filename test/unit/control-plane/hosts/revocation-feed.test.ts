import assert from "node:assert/strict";
import { addRevocation, listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import type { Hello } from "@sallyport/control-plane/hosts/link/check-hello.ts";
import { RevocationFeed } from "@sallyport/control-plane/hosts/link/revocation-feed.ts";
import { RevocationList } from "@sallyport/control-plane/hosts/link/revocation-list.ts";
import { MAX_REVOCATIONS_AT_ONCE, ServerMessage } from "@sallyport/core/messages/host-link.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import sinon from "sinon";
import { ListCopy } from "../../../fixtures/list-copy.ts";
import { addRevocations } from "../../../fixtures/revocations.ts";
import { makeWorld, type World } from "../support/world.ts";

type Page = Extract<ServerMessage, { type: "revocations" }>;

describe("the revocation list's way to a host", () => {
  let world: World;
  let list: RevocationList;
  beforeEach(async () => {
    world = await makeWorld();
    list = new RevocationList(world.db);
  });
  afterEach(() => world.db.destroy());

  let made = 0;
  const revoke = (changes: Partial<Revocation> = {}) =>
    addRevocation(world.db, {
      ...{ id: newId(world.environment, "rev"), level: "key", target: `SHA256:${made++}` },
      ...{ at: world.time.now, by: "test", reason: "", ...changes },
    });
  const revokeMany = (count: number) => addRevocations(world.db, count);

  /** A host whose socket takes a message only when it is told to. */
  class Host {
    readonly copy: ListCopy;
    readonly pages: Page[] = [];
    readonly feed: RevocationFeed;
    answers = 0;
    /** Bytes that have been handed over and not taken. */
    waiting: (() => void)[] = [];
    isSlow = false;
    #arrived: (() => void)[] = [];

    constructor({ sequence, chain }: { sequence: number; chain: string } = { sequence: 0, chain: "" }) {
      this.copy = new ListCopy(sequence, chain);
      const hello = { revocationSequence: sequence, revocationChain: chain } as Hello;
      this.feed = new RevocationFeed(
        { list, send: (message) => this.#send(message), answered: () => this.answers++ },
        hello,
      );
    }

    get last(): number {
      return this.copy.sequence;
    }

    /** The host takes what was handed over, and goes on until it has so many messages. */
    async takeUntil(pages: number): Promise<void> {
      for (;;) {
        if (this.pages.length >= pages) return;
        for (const take of this.waiting.splice(0)) take();
        await new Promise<void>((resolve) => this.#arrived.push(resolve));
      }
    }

    #send(message: Buffer): Promise<void> {
      const page = ServerMessage.parse(JSON.parse(message.toString())) as Page;
      this.pages.push(page);
      this.copy.take(page);
      for (const arrived of this.#arrived.splice(0)) arrived();
      if (!this.isSlow) return Promise.resolve();
      return new Promise((resolve) => this.waiting.push(resolve));
    }
  }

  const ours = async (host: Host) => {
    const head = await list.head();
    assert.deepEqual(host.copy.wrong, []);
    assert.deepEqual({ sequence: host.copy.sequence, chain: host.copy.chain }, head);
  };

  it("is the whole of it to a host that has nothing", async () => {
    await revokeMany(3);
    const host = new Host();
    await host.feed.begin();
    await ours(host);
    assert.equal(host.pages.length, 1);
  });

  it("is nothing where the host has all", async () => {
    await revokeMany(3);
    const host = new Host(await list.head());
    await host.feed.begin();
    assert.deepEqual(host.pages, []);
    assert.equal(host.feed.sent, 3);
  });

  it("is what the host missed, and no more", async () => {
    await revokeMany(3);
    const host = new Host(await list.head());
    await revokeMany(2);
    await host.feed.begin();
    assert.deepEqual(
      host.pages.map(({ after, entries }) => [after, entries.map(({ sequence }) => sequence)]),
      [[3, [4, 5]]],
    );
    await ours(host);
  });

  const strangers: [name: string, has: { sequence: number; chain: string }][] = [
    ["another list", { sequence: 2, chain: "another" }],
    ["no word of its list", { sequence: 2, chain: "" }],
    ["a number above ours", { sequence: 9, chain: "another" }],
  ];
  for (const [name, has] of strangers) {
    it(`is the whole of it to a host with ${name}`, async () => {
      await revokeMany(3);
      const host = new Host(has);
      await host.feed.begin();
      await ours(host);
      assert.equal(host.pages[0]?.after, 0);
    });
  }

  it("is an empty one where ours is empty and the host's is not", async () => {
    const host = new Host({ sequence: 9, chain: "another" });
    await host.feed.begin();
    await ours(host);
    assert.deepEqual(host.pages, [{ type: "revocations", after: 0, entries: [], sequence: 0 }]);
  });

  it("comes in messages of so many entries, one when the one before was taken", async () => {
    await revokeMany(2 * MAX_REVOCATIONS_AT_ONCE + 5);
    const host = new Host();
    host.isSlow = true;
    const begun = host.feed.begin();
    await host.takeUntil(1);
    await list.page(MAX_REVOCATIONS_AT_ONCE);
    assert.equal(host.pages.length, 1);
    await host.takeUntil(3);
    await begun;
    assert.deepEqual(
      host.pages.map(({ entries }) => entries.length),
      [MAX_REVOCATIONS_AT_ONCE, MAX_REVOCATIONS_AT_ONCE, 5],
    );
    assert.ok(host.pages.every(({ sequence }) => sequence === 2 * MAX_REVOCATIONS_AT_ONCE + 5));
    await ours(host);
  });

  it("has no gap and nothing twice when pushes come while the host catches up", async () => {
    await revokeMany(MAX_REVOCATIONS_AT_ONCE + 10);
    const host = new Host();
    host.isSlow = true;
    const begun = host.feed.begin();
    await host.takeUntil(1);
    const pushed: Promise<void>[] = [];
    for (let each = 0; each < 5; each++) {
      const entry = await revoke();
      list.offer([entry]);
      pushed.push(host.feed.reach(entry.sequence));
    }
    host.isSlow = false;
    await host.takeUntil(2);
    await Promise.all([begun, ...pushed]);
    await ours(host);
    assert.equal(host.copy.entries, MAX_REVOCATIONS_AT_ONCE + 15);
    // A message that says that it is the last of the list is the last there is.
    assert.ok(
      host.pages.slice(0, -1).every(({ after, entries, sequence }) => after + entries.length < sequence),
    );
  });

  it("fills the gap when a push overtakes another", async () => {
    const host = new Host();
    await host.feed.begin();
    const [first, second, third] = [await revoke(), await revoke(), await revoke()];
    list.offer([third]);
    await host.feed.reach(third.sequence);
    list.offer([first, second]);
    await host.feed.reach(second.sequence);
    await ours(host);
    assert.equal(host.copy.entries, 3);
  });

  it("does not read what was just stored", async () => {
    const host = new Host();
    await host.feed.begin();
    const entry = await revoke();
    list.offer([entry]);
    await world.db.deleteFrom("revocations").execute();
    await host.feed.reach(entry.sequence);
    assert.deepEqual(host.pages[0]?.entries, [entry]);
  });

  it("is one message in memory for all hosts", async () => {
    await revokeMany(3);
    const [one, other] = await Promise.all([list.page(0), list.page(0)]);
    assert.equal(one?.message, other?.message);
    assert.equal((await list.page(0))?.message, one?.message);
  });

  it("is kept in memory up to a bound, and read again beyond", async () => {
    await revokeMany(3 * MAX_REVOCATIONS_AT_ONCE);
    const page = (await list.page(0)) ?? assert.fail();
    const small = new RevocationList(world.db, page.message.length * 2.5);
    await small.head();
    const pages = async () => {
      const each = [];
      for (const after of [0, 1, 2]) each.push(await small.page(after * MAX_REVOCATIONS_AT_ONCE));
      return each.map((one) => one?.message);
    };
    const [first, , third] = await pages();
    assert.equal((await small.page(2 * MAX_REVOCATIONS_AT_ONCE))?.message, third);
    const again = (await small.page(0))?.message;
    assert.notEqual(again, first);
    assert.deepEqual(again, first);
  });

  it("holds what was stored for who asked after a failure", async () => {
    const host = new Host();
    await host.feed.begin();
    await assert.rejects(host.feed.reach(1), /there is no revocation 1/);
    const { sequence } = await revoke();
    await host.feed.reach(sequence);
    await ours(host);
  });

  it("lets a host acknowledge only what it was sent or had", async () => {
    await revokeMany(3);
    const host = new Host(await list.head());
    assert.deepEqual([await host.feed.mayHave(3), await host.feed.mayHave(4)], [true, false]);
    const stranger = new Host({ sequence: 3, chain: "another" });
    assert.equal(await stranger.feed.mayHave(3), false);
    await stranger.feed.begin();
    assert.equal(await stranger.feed.mayHave(3), true);
  });

  it("ends for whoever waits when the link ends", async () => {
    await revokeMany(MAX_REVOCATIONS_AT_ONCE + 1);
    const host = new Host();
    host.isSlow = true;
    const begun = host.feed.begin();
    await host.takeUntil(1);
    host.feed.close();
    await begun;
    await host.takeUntil(1);
    assert.equal(host.pages.length, 1);
  });

  describe("when the host asks", () => {
    let clock: sinon.SinonFakeTimers;
    beforeEach(() => {
      clock = sinon.useFakeTimers({
        toFake: ["setTimeout", "clearTimeout"],
        // The database's own go on.
        shouldClearNativeTimers: true,
      });
    });
    afterEach(() => clock.restore());

    it("is what follows the number that it says", async () => {
      await revokeMany(5);
      const host = new Host(await list.head());
      await host.feed.begin();
      host.feed.query(3);
      await host.takeUntil(1);
      assert.deepEqual(
        host.pages.map(({ after, entries }) => [after, entries.length]),
        [[3, 2]],
      );
      await host.feed.reach(5);
      assert.equal(host.answers, 1);
    });

    it("is an empty answer where nothing follows", async () => {
      await revokeMany(5);
      const host = new Host(await list.head());
      await host.feed.begin();
      host.feed.query(5);
      await host.takeUntil(1);
      assert.deepEqual(host.pages, [{ type: "revocations", after: 5, entries: [], sequence: 5 }]);
    });

    it("is one answer in a while, however often it asks, and not lost", async () => {
      await revokeMany(5);
      const host = new Host(await list.head());
      await host.feed.begin();
      for (let each = 0; each < 1000; each++) host.feed.query(0);
      await host.takeUntil(1);
      await host.feed.reach(5);
      assert.equal(host.pages.length, 1);
      await clock.tickAsync(5000);
      await host.takeUntil(2);
      await host.feed.reach(5);
      await clock.tickAsync(60_000);
      assert.equal(host.pages.length, 2);
      await ours(host);
    });

    it("is the whole list once a minute at most", async () => {
      await revokeMany(MAX_REVOCATIONS_AT_ONCE + 5);
      const host = new Host(await list.head());
      await host.feed.begin();
      host.feed.query(0);
      await host.takeUntil(2);
      await host.feed.reach(MAX_REVOCATIONS_AT_ONCE + 5);
      host.feed.query(0);
      await clock.tickAsync(59_000);
      assert.equal(host.pages.length, 2);
      await clock.tickAsync(1000);
      await host.takeUntil(4);
      await ours(host);
    });

    it("does not lose a push, nor count what it asks for beyond what it was sent", async () => {
      await revokeMany(5);
      const host = new Host();
      host.isSlow = true;
      const begun = host.feed.begin();
      await host.takeUntil(1);
      host.feed.query(999);
      host.feed.query(2);
      const { sequence } = await revoke();
      host.isSlow = false;
      await Promise.all([host.feed.reach(sequence), host.takeUntil(2), begun]);
      assert.deepEqual(host.copy.wrong, []);
      assert.equal(host.last, 6);
    });
  });

  it("knows what gives access back, and what does not", async () => {
    const target = "SHA256:lifted";
    const { now } = world.time;
    const taken = await revoke({ target });
    const lifted = await revoke({ target, before: now });
    const later = await revoke({ target, before: now + 10 });
    const earlier = await revoke({ target, before: now + 5 });
    const never = await revoke({ target: "SHA256:never", before: now });
    const lifts = [];
    for (const entry of [taken, lifted, later, earlier, never]) lifts.push(await list.lifts([entry]));
    assert.deepEqual(lifts, [false, true, false, true, false]);
    assert.equal((await listRevocations(world.db)).length, 5);
  });
});
