import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { makeId } from "@sallyport/core/names.ts";
import { Outbox } from "@sallyport/uplink/events/outbox.ts";
import sinon from "sinon";
import { descriptorsBelow, makeSmallSpool, remount, timers } from "../spool/spool.ts";

function event(number: number, changes: Partial<HostEvent> = {}): HostEvent {
  const random = Buffer.alloc(10);
  random.writeUInt32BE(number, 6);
  return {
    ...{ id: makeId("evt", 1_760_436_000_000, random), at: number, type: "login-refused", account: "root" },
    ...{ sourceAddress: null, certificateSerial: null, memberId: null, issuer: null, subject: null },
    ...{ engagementId: null, sessionId: null, code: "revoked", detail: "ż\n", told: null },
    ...changes,
  };
}
const numbers = (outbox: Outbox): number[] => outbox.pending().map(({ at }) => at);
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

describe("an outbox", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "outbox-"));
    path = join(directory, "outbox");
  });
  afterEach(() => {
    sinon.restore();
    assert.deepEqual(descriptorsBelow(directory), []);
    rmSync(directory, { recursive: true });
  });

  const fill = (outbox: Outbox, ...list: number[]): void => {
    for (const number of list) outbox.add(event(number));
  };

  it("keeps events in their order, in this process and the next", () => {
    const outbox = new Outbox(path);
    fill(outbox, 3, 1, 2);
    assert.deepEqual(numbers(outbox), [3, 1, 2]);
    assert.deepEqual(new Outbox(path).pending(), outbox.pending());
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it("says each event that is added, after it is kept", () => {
    const outbox = new Outbox(path);
    const said: number[] = [];
    outbox.onAdded = ({ at }) => {
      assert.equal(new Outbox(path).pending().length, said.length + 1);
      said.push(at);
    };
    fill(outbox, 1, 2);
    assert.deepEqual(said, [1, 2]);
  });

  it("has one that is added twice once", () => {
    const outbox = new Outbox(path);
    fill(outbox, 1, 2, 1);
    assert.deepEqual(numbers(outbox), [1, 2]);
    assert.deepEqual(numbers(new Outbox(path)), [1, 2]);
  });

  it("forgets what is acknowledged, once, and nothing else", () => {
    const outbox = new Outbox(path);
    fill(outbox, 1, 2, 3);
    for (const number of [2, 2, 9]) outbox.acknowledge(event(number).id);
    assert.deepEqual(numbers(outbox), [1, 3]);
  });

  it("is empty, and its file too, a moment after everything was acknowledged", () => {
    const clock = sinon.useFakeTimers();
    const outbox = new Outbox(path);
    fill(outbox, 1, 2);
    for (const number of [1, 2]) outbox.acknowledge(event(number).id);
    clock.tick(10_000);
    assert.equal(statSync(path).size, 0);
    fill(outbox, 3);
    assert.deepEqual(numbers(new Outbox(path)), [3]);
  });

  it("does not empty its file of an event that came meanwhile", () => {
    const clock = sinon.useFakeTimers();
    const outbox = new Outbox(path);
    fill(outbox, 1);
    outbox.acknowledge(event(1).id);
    fill(outbox, 2);
    clock.tick(10_000);
    assert.ok(numbers(new Outbox(path)).includes(2));
    outbox.acknowledge(event(2).id);
    clock.tick(10_000);
    assert.deepEqual(numbers(new Outbox(path)), []);
  });

  it("rewrites its file without what was acknowledged, from time to time, leaving nothing beside it", () => {
    const outbox = new Outbox(path);
    fill(outbox, ...range(0, 1500));
    for (const number of range(0, 1000)) outbox.acknowledge(event(number).id);
    assert.equal(readFileSync(path, "utf8").split("\n").length, 501);
    assert.deepEqual(numbers(new Outbox(path)), range(1000, 1500));
    assert.deepEqual(readdirSync(directory), ["outbox"]);
  });

  it("leaves no timer that keeps a process alive", async () => {
    const before = await timers();
    const outbox = new Outbox(path);
    fill(outbox, 1);
    outbox.acknowledge(event(1).id);
    assert.equal(await timers(), before);
  });

  it("is there after sync, and sync of nothing is no error", () => {
    const outbox = new Outbox(path);
    outbox.sync();
    assert.equal(existsSync(path), false);
    fill(outbox, 1);
    outbox.sync();
    assert.deepEqual(numbers(new Outbox(path)), [1]);
  });

  describe("whose file was cut off by a crash", () => {
    it("loses only the event that was cut off, wherever that was", () => {
      fill(new Outbox(path), 1, 2);
      const whole = readFileSync(path);
      const second = whole.indexOf("\n") + 1;
      for (let cut = second; cut < whole.length - 1; cut++) {
        writeFileSync(path, whole.subarray(0, cut));
        assert.deepEqual(numbers(new Outbox(path)), [1], `cut at ${cut}`);
      }
      writeFileSync(path, whole.subarray(0, -1)); // only the line end is missing
      assert.deepEqual(numbers(new Outbox(path)), [1, 2]);
    });

    it("does not lose the event that is added next", () => {
      fill(new Outbox(path), 1, 2);
      for (const cut of [1, 20, 150]) {
        truncateSync(path, statSync(path).size - cut);
        fill(new Outbox(path), 100 + cut);
        assert.ok(numbers(new Outbox(path)).includes(100 + cut), `${cut} cut off`);
      }
    });

    it("passes over lines that make no sense", () => {
      const outbox = new Outbox(path);
      fill(outbox, 1);
      const bad = { ...event(2), detail: "x".repeat(3000) };
      appendFileSync(
        path,
        `\n\u0000\u0000\nnull\n[]\n{}\n${JSON.stringify(bad)}\n${JSON.stringify(event(3))}\n`,
      );
      assert.deepEqual(numbers(new Outbox(path)), [1, 3]);
    });
  });

  it("keeps a hundred thousand and counts what it drops, and its file does not grow without end", function () {
    this.timeout(60_000);
    const lines = range(0, 199_990).map((number) => `${JSON.stringify(event(number))}\n`);
    writeFileSync(path, lines.join(""));
    const size = statSync(path).size;
    const outbox = new Outbox(path);
    assert.equal(outbox.pending().length, 100_000);
    assert.equal(outbox.dropped, 99_990);
    assert.equal(numbers(outbox)[0], 99_990);
    fill(outbox, ...range(200_000, 200_020));
    assert.equal(outbox.pending().length, 100_000);
    assert.equal(outbox.dropped, 100_010);
    assert.equal(numbers(outbox).at(-1), 200_019);
    assert.ok(statSync(path).size < size * 0.6, "rewritten");
  });
});

describe("an outbox on a disk that is full", () => {
  afterEach(() => sinon.restore());

  it("sends on, counts, never fails, and is sound again once everything is acknowledged", () => {
    const clock = sinon.useFakeTimers();
    const disk = makeSmallSpool("size=64k");
    try {
      const path = join(disk.path, "outbox");
      const outbox = new Outbox(path);
      const said: number[] = [];
      outbox.onAdded = ({ at }) => said.push(at);
      for (const number of range(0, 2000)) outbox.add(event(number));
      assert.ok(outbox.dropped > 0);
      assert.deepEqual(said, range(0, 2000));
      assert.deepEqual(numbers(outbox), range(0, 2000));
      const kept = numbers(new Outbox(path));
      assert.deepEqual(kept, range(0, kept.length));
      // The file cannot be rewritten: that needs room beside it.
      for (const number of range(0, 1500)) outbox.acknowledge(event(number).id);
      assert.deepEqual(numbers(outbox), range(1500, 2000));
      assert.deepEqual(numbers(new Outbox(path)), kept);
      for (const number of range(1500, 2000)) outbox.acknowledge(event(number).id);
      clock.tick(10_000);
      outbox.add(event(2000));
      assert.deepEqual(numbers(new Outbox(path)), [2000]);
      assert.deepEqual(readdirSync(disk.path), ["outbox"]);
    } finally {
      disk.remove();
    }
  });

  it("does not fail when it cannot empty its file", () => {
    const clock = sinon.useFakeTimers();
    const disk = makeSmallSpool("size=64k");
    try {
      const outbox = new Outbox(join(disk.path, "outbox"));
      outbox.add(event(1));
      remount(disk.path, "ro");
      outbox.acknowledge(event(1).id);
      clock.tick(10_000);
      outbox.add(event(2));
      assert.deepEqual(numbers(outbox), [2]);
      assert.equal(outbox.dropped, 1);
    } finally {
      disk.remove();
    }
  });

  it("does not lose the event after the one that there was no room for", () => {
    const disk = makeSmallSpool("size=8k");
    try {
      const path = join(disk.path, "outbox");
      const outbox = new Outbox(path);
      let number = 0;
      for (; outbox.dropped === 0; number++) outbox.add(event(number));
      // The torn line is still in the file; a little room comes back.
      const { size } = statSync(path);
      remount(disk.path, "size=16k");
      assert.equal(statSync(path).size, size);
      outbox.add(event(number));
      assert.deepEqual(numbers(new Outbox(path)).at(-1), number);
    } finally {
      disk.remove();
    }
  });
});
