import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { acceptClock } from "@sallyport/agent/clock/accept-clock.ts";
import { HostClock } from "@sallyport/agent/clock/host-clock.ts";
import type { Reading } from "@sallyport/agent/clock/time-source.ts";
import sinon from "sinon";
import { temporaryDirectory } from "../support/temporary.ts";

const NOW = 1_800_000_000;
const HOUR = 3600;

describe("the host's clock", () => {
  const directory = temporaryDirectory();
  let reading: Reading;
  let boot: string;
  let changes: [boolean, string][];
  let troubles: unknown[];
  let clock: HostClock;

  const open = () => {
    clock = new HostClock({
      time: { bootId: boot, read: () => ({ ...reading }) },
      path: directory.file("clock.json"),
      acceptedPath: directory.file("clock-accepted"),
      onChange: (trusted, detail) => changes.push([trusted, detail]),
      onTrouble: (error) => troubles.push(error),
    });
    return clock;
  };
  /** Time goes by, as clocks that nobody sets count it; the wall clock may be set on the way. */
  const pass = (seconds: number, set = 0) => {
    reading.wall += seconds + set;
    reading.monotonic += seconds;
    reading.boot += seconds;
  };
  const trusted = () => clock.state().trusted;
  /** Ends the agent and starts another one: a process of its own has a monotonic clock that begins at zero. */
  const restart = () => {
    clock.stop();
    reading.monotonic = 0.1;
    open();
  };
  const reboot = () => {
    clock.stop();
    boot = "second";
    Object.assign(reading, { monotonic: 0.1, boot: 20 });
    open();
  };

  beforeEach(() => {
    reading = { wall: NOW, monotonic: 0.1, boot: 1000 };
    boot = "first";
    [changes, troubles] = [[], []];
    open();
  });
  afterEach(() => {
    clock.stop();
    sinon.restore();
  });

  it("is the wall clock while nobody touches that", () => {
    for (let day = 0; day < 400; day++) {
      pass(86_400);
      assert.equal(clock.now(), reading.wall);
      assert.ok(trusted());
    }
    assert.deepEqual([changes, troubles], [[], []]);
  });

  it("does not mind NTP's corrections and leap seconds, and does not go back for them", () => {
    const before = clock.now();
    pass(0, -1);
    assert.ok(trusted());
    assert.equal(clock.now(), before);
    pass(10, -20);
    assert.ok(trusted());
  });

  it("notices an hour back, goes on counting, and says so once", () => {
    pass(5, -HOUR);
    assert.equal(trusted(), false);
    assert.equal(clock.now(), NOW + 5);
    pass(100);
    assert.equal(clock.now(), NOW + 105);
    assert.deepEqual([changes.length, changes[0]?.[0]], [1, false]);
    assert.match(String(changes[0]?.[1]), /3600 s behind/);
  });

  it("notices an hour back in steps that are small each", () => {
    for (let step = 0; step < 120; step++) {
      pass(1, -30);
      clock.now();
    }
    assert.equal(trusted(), false);
    assert.equal(clock.now(), NOW + 120);
  });

  it("counts the time of a suspend, which the monotonic clock does not", () => {
    reading.wall += 10;
    reading.boot += 5 * HOUR;
    assert.equal(trusted(), false);
    assert.equal(clock.now(), NOW + 5 * HOUR);
  });

  it("does not stand still with a container's idea of its uptime", () => {
    reading.monotonic += HOUR;
    reading.boot = 3;
    assert.equal(clock.now(), NOW + HOUR);
    assert.equal(trusted(), false);
  });

  it("is right again when the wall clock is", () => {
    pass(5, -HOUR);
    assert.equal(trusted(), false);
    pass(5, HOUR);
    assert.ok(trusted());
    assert.deepEqual(
      changes.map(([one]) => one),
      [false, true],
    );
  });

  describe("remembers", () => {
    it("across a restart of the agent, however long it was away", () => {
      pass(100);
      clock.now();
      clock.stop();
      pass(HOUR, -2 * HOUR);
      reading.monotonic = 0.1;
      open();
      assert.equal(trusted(), false);
      assert.equal(clock.now(), NOW + 100 + HOUR);
    });

    it("across a reboot, as far as it can know", () => {
      pass(100);
      clock.now();
      reboot();
      reading.wall = NOW - HOUR;
      assert.equal(trusted(), false);
      assert.equal(clock.now(), NOW + 100);
      reading.wall = NOW + 50;
      assert.ok(trusted(), "half a minute is no matter");
    });

    it("at the latest a minute ago when it is killed", () => {
      const timers = sinon.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      clock.start();
      pass(600);
      timers.tick(60_000);
      boot = "second"; // no stop(): power was lost
      Object.assign(reading, { wall: NOW + 10, monotonic: 0.1, boot: 20 });
      open();
      assert.equal(trusted(), false);
      assert.equal(clock.now(), NOW + 600);
    });

    it("the newest signed time also where its own record is gone or damaged", () => {
      for (const damage of ["", "{", "null", '{"v":1}', '{"v":1,"latest":-1}']) {
        writeFileSync(directory.file("clock.json"), damage);
        reading.wall = NOW - HOUR;
        open().signedAt(NOW);
        assert.equal(trusted(), false, damage);
        assert.equal(clock.now(), NOW);
      }
    });

    it("for root's eyes only", () => {
      clock.stop();
      assert.deepEqual(Object.keys(JSON.parse(readFileSync(directory.file("clock.json"), "utf8"))), [
        ...["v", "latest", "signed", "boot", "bootId"],
      ]);
    });
  });

  describe("after a clock that was an hour fast is mended", () => {
    beforeEach(() => {
      pass(10, HOUR);
      clock.now();
      pass(10, -HOUR);
      assert.equal(trusted(), false);
    });

    it("is right again with the control plane's next word, after a reboot too", () => {
      reboot();
      pass(30);
      assert.equal(trusted(), false);
      clock.confirm(Math.floor(reading.wall));
      assert.ok(trusted());
      assert.equal(clock.now(), reading.wall);
      restart();
      assert.ok(trusted());
    });

    it("is not right by a word that the wall clock does not agree with", () => {
      clock.confirm(Math.floor(reading.wall) + 600);
      assert.equal(trusted(), false);
      clock.confirm(Math.floor(reading.wall) + 700);
      assert.equal(trusted(), false);
    });

    it("is not right by a word that was spoken before: it may have been kept for this", () => {
      clock.signedAt(reading.wall);
      clock.confirm(reading.wall);
      assert.equal(trusted(), false);
    });

    it("is right again by root's word, given while the agent runs or before", () => {
      acceptClock(directory.file("clock-accepted"), new Date(0));
      assert.ok(trusted());
      assert.equal(clock.now(), reading.wall);
      assert.ok(!existsSync(directory.file("clock-accepted")), "it is good once");
      pass(0, -HOUR);
      assert.equal(trusted(), false);
      clock.stop();
      acceptClock(directory.file("clock-accepted"), new Date(0));
      reading.monotonic = 0.1;
      open();
      assert.ok(trusted());
    });
  });

  it("says when it cannot be remembered, and goes on", () => {
    clock.stop();
    clock = new HostClock({
      time: { bootId: boot, read: () => ({ ...reading }) },
      path: directory.file("no/where"),
      acceptedPath: directory.file("clock-accepted"),
      onChange: (ok, detail) => changes.push([ok, detail]),
      onTrouble: (error) => troubles.push(error),
    });
    clock.start();
    assert.match(String(troubles[0]), /ENOENT/);
    pass(0, -HOUR);
    assert.equal(trusted(), false);
    chmodSync(directory.path, 0o755);
  });
});
