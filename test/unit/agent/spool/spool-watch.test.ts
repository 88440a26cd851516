import assert from "node:assert/strict";
import { mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SpoolAccount } from "@sallyport/agent/spool/spool-account.ts";
import { SpoolAge } from "@sallyport/agent/spool/spool-age.ts";
import { type SpoolLimits, SpoolSpace } from "@sallyport/agent/spool/spool-space.ts";
import { SpoolWatch } from "@sallyport/agent/spool/spool-watch.ts";
import { BLOCKS_FILE } from "@sallyport/uplink/spool/layout.ts";
import { until } from "../../../../demo/light-host/until.ts";
import { makeSmallSpool, newSession, remount, type Spool } from "../../uplink/spool/spool.ts";

const KIB = 1024;
const DAY = 86_400_000;

describe("the watch over the spool", () => {
  let disk: Spool;
  let rejected: string;
  let kept: string;
  let account: SpoolAccount;
  beforeEach(() => {
    disk = makeSmallSpool("size=1m,nr_inodes=100");
    [rejected, kept] = [join(disk.path, "rejected"), join(disk.path, "kept")];
    for (const path of [rejected, kept]) mkdirSync(path);
    account = new SpoolAccount(disk.path, rejected);
  });
  afterEach(() => disk.remove());

  /** A recording of so many KiB; tmpfs, as used here, takes 4 KiB at a time and counts no directories. */
  const record = (kib: number, parent = disk.path) => {
    const session = newSession();
    mkdirSync(join(parent, session));
    writeFileSync(join(parent, session, BLOCKS_FILE), Buffer.alloc(kib * KIB));
    return session;
  };
  const limits = (changes: Partial<SpoolLimits> = {}): SpoolLimits => ({
    ...{ reserve: 128 * KIB, inodes: 10, limit: 400 * KIB },
    ...changes,
  });

  describe("adds up", () => {
    it("what is there, and what has changed since, and nothing that is no recording", async () => {
      const [first, second] = [record(40), record(20)];
      record(8, rejected);
      writeFileSync(join(disk.path, "junk"), Buffer.alloc(100 * KIB));
      await account.measureAll();
      assert.equal(account.used, 68 * KIB);
      assert.equal(account.sizeOf(first), 40 * KIB);
      writeFileSync(join(disk.path, second, "0.open"), Buffer.alloc(12 * KIB));
      const third = record(4);
      rmSync(join(disk.path, first), { recursive: true });
      for (const one of [first, second, third]) account.changed(one);
      assert.equal(await account.measure(), true);
      assert.equal(account.used, 44 * KIB);
      assert.equal(await account.measure(), false);
    });

    it("a recording that was set aside once", async () => {
      const session = record(40);
      await account.measureAll();
      renameSync(join(disk.path, session), join(rejected, session));
      account.changed(session);
      await account.measure();
      assert.equal(account.used, 40 * KIB);
      await account.measureAll();
      assert.equal(account.used, 40 * KIB);
    });

    it("what was changed by hand, when all is measured anew", async () => {
      const session = record(40);
      await account.measureAll();
      rmSync(join(disk.path, session), { recursive: true });
      await account.measureAll();
      assert.equal(account.used, 0);
    });
  });

  describe("finds a shortage", () => {
    it("of nothing, while there is enough", () => {
      assert.equal(new SpoolSpace(disk.path, limits(), { used: 0 }).shortage, null);
    });

    for (const [what, space, expected] of [
      [
        "of the limit's room",
        (path: string) => new SpoolSpace(path, limits(), { used: 400 * KIB }),
        /spoolLimit/,
      ],
      [
        "of bytes",
        (path: string) => new SpoolSpace(path, limits({ reserve: 2000 * KIB }), { used: 0 }),
        /diskReserve/,
      ],
      [
        "of inodes",
        (path: string) => new SpoolSpace(path, limits({ inodes: 100 }), { used: 0 }),
        /inodeReserve/,
      ],
      [
        "when it cannot look",
        (path: string) => new SpoolSpace(join(path, "gone"), limits(), { used: 0 }),
        /ENOENT/,
      ],
    ] as const) {
      it(what, () => assert.match(space(disk.path).shortage ?? "", expected));
    }

    it("for running sessions only when they have used up the reserve as well", () => {
      const used = { used: 527 * KIB };
      assert.equal(new SpoolSpace(disk.path, limits(), used).overdrawn, false);
      assert.equal(new SpoolSpace(disk.path, limits(), { used: 528 * KIB }).overdrawn, true);
    });
  });

  describe("at work", () => {
    let watch: SpoolWatch;
    let shortages: (string | null)[];
    let ended: string[];
    let live: string[];
    const watching = async (changes: Partial<SpoolLimits> = {}) => {
      [shortages, ended, live] = [[], [], []];
      watch = new SpoolWatch({
        account,
        space: new SpoolSpace(disk.path, limits(changes), account),
        age: ageOf(),
        live: () => live,
        onShortage: (shortage) => shortages.push(shortage),
        onOverdrawn: (recording) => ended.push(recording),
        onTrouble: (error) => assert.fail(String(error)),
      });
      await watch.start();
    };
    afterEach(() => watch.stop());

    it("refuses when the disk is full and admits when it is not, and says so once each time", async () => {
      await watching();
      assert.equal(watch.admits, true);
      writeFileSync(join(disk.path, "filler"), Buffer.alloc(950 * KIB));
      for (let i = 0; i < 3; i++) assert.equal(watch.admits, false);
      rmSync(join(disk.path, "filler"));
      for (let i = 0; i < 3; i++) assert.equal(watch.admits, true);
      assert.match(shortages[0] ?? "", /diskReserve/);
      assert.deepEqual(shortages.slice(1), [null]);
    });

    it("refuses at the limit, and ends the largest session behind it", async () => {
      const [small, large] = [record(100), record(200)];
      await watching();
      live = [small, large];
      assert.equal(watch.admits, true);
      assert.equal(watch.bytes, 300 * KIB);
      writeFileSync(join(disk.path, large, "0.open"), Buffer.alloc(150 * KIB));
      watch.changed(large);
      assert.ok(await until(() => !watch.admits, 5_000));
      assert.deepEqual(ended, []);
      writeFileSync(join(disk.path, large, "1.open"), Buffer.alloc(150 * KIB));
      watch.changed(large);
      assert.ok(await until(() => ended.length > 0, 5_000));
      assert.deepEqual(ended, [large]);
    });

    it("removes what is stored already before it refuses anybody for long", async () => {
      record(700, kept);
      await watching({ reserve: 512 * KIB });
      assert.ok(await until(() => watch.admits, 5_000));
      assert.deepEqual(readdirSync(kept), []);
    });

    it("sees a disk that grows", async () => {
      await watching({ reserve: 1200 * KIB });
      assert.equal(watch.admits, false);
      remount(disk.path, "size=2m");
      assert.equal(watch.admits, true);
    });
  });

  describe("looks for what is too old", () => {
    it("and removes what is stored or set aside, but reports what is not uploaded, once a day", async () => {
      const waiting = record(4);
      utimesSync(join(disk.path, waiting, BLOCKS_FILE), 1, 1);
      const aside = record(4, rejected);
      const stored = record(4, kept);
      const found: unknown[] = [];
      let now = Date.now() + DAY;
      const age = ageOf({
        localRetention: 48,
        now: () => now,
        onOverdue: (count, oldest) => found.push(["overdue", count, oldest]),
        onExpired: (name) => found.push(["expired", name]),
      });
      await age.look();
      assert.deepEqual(found, [["overdue", 1, waiting]]);
      assert.deepEqual(readdirSync(kept), [stored]);
      now += 2 * 3_600_000;
      await age.look();
      assert.equal(found.length, 1, "not twice a day");
      now = Date.now() + 31 * DAY;
      await age.look();
      assert.deepEqual(found.slice(1), [
        ["expired", aside],
        ["overdue", 1, waiting],
      ]);
      assert.deepEqual(readdirSync(disk.path).sort(), ["kept", "rejected", waiting].sort());
      assert.deepEqual([readdirSync(kept), readdirSync(rejected)], [[], []]);
    });
  });

  function ageOf(changes: Partial<ConstructorParameters<typeof SpoolAge>[0]> = {}): SpoolAge {
    return new SpoolAge({
      ...{ spool: disk.path, rejected, kept, spoolAge: 30, localRetention: 24 },
      now: () => Date.now(),
      onOverdue: () => {},
      onExpired: () => {},
      ...changes,
    });
  }
});
