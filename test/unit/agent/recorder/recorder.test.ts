import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { shimFrame } from "@sallyport/agent/shim/shim-protocol.ts";
import { makeSmallSpool } from "../../uplink/spool/spool.ts";
import { RecorderUnderTest, sessionOf } from "../support/recorder.ts";
import { within } from "../support/within.ts";

const COMMAND = Buffer.from("true").toString("base64");

describe("a recorder", () => {
  let recorder: RecorderUnderTest;
  beforeEach(async () => {
    recorder = await RecorderUnderTest.start();
  });
  afterEach(() => recorder.close());

  /** It still does its work: whatever came before has been dealt with by then, and did no harm. */
  const stillWorks = async () => {
    const { shim, session } = await recorder.begin({ command: COMMAND });
    shim.send("w", Buffer.of(0, 7));
    assert.deepEqual((await shim.rest()).at(-1), { type: "z", data: Buffer.of(0, 7) });
    assert.equal((await recorder.says("ended", session)).end.exitStatus, 7);
  };
  const began = () => recorder.said.filter(({ type }) => type === "started").map(sessionOf);

  it("gives a session to nobody but the shim that its ticket is for", async () => {
    const ticket = recorder.ticket({ shimPid: 1 });
    recorder.send(ticket);
    const thief = recorder.connect();
    thief.hello(ticket.ticket);
    assert.deepEqual(await thief.rest(), []);
    await stillWorks();
    assert.ok(!began().includes(ticket.live.session));
  });

  for (const [what, bytes] of [
    ["another frame than hello", shimFrame("i", Buffer.from("x"))],
    ["a hello too short", shimFrame("h", Buffer.alloc(39))],
    ["a frame too large", Buffer.from("ffffffff68", "hex")],
    ["an empty frame", Buffer.alloc(5)],
  ] as const) {
    it(`hangs up on ${what}`, async () => {
      const shim = recorder.connect();
      shim.socket.write(bytes);
      assert.deepEqual(await shim.rest(), []);
      await stillWorks();
    });
  }

  it("waits for a ticket that comes after its shim", async () => {
    const ticket = recorder.ticket();
    const [shim, other] = [recorder.connect(), recorder.connect()];
    shim.hello(ticket.ticket);
    other.hello(ticket.ticket);
    assert.deepEqual(
      await Promise.race([shim.rest(), other.rest()]),
      [],
      "one of two with the same ticket has to go",
    );
    recorder.send(ticket);
    const start = await Promise.race(
      [shim, other].map((one) => one.nextOf("x").then((x) => x ?? new Promise(() => {}))),
    );
    assert.ok(start);
  });

  it("has one session for one ticket, and lets nobody who knows the ticket end it", async () => {
    const ticket = recorder.ticket({ command: COMMAND });
    recorder.send(ticket);
    const [first, second] = [recorder.connect(), recorder.connect()];
    first.hello(ticket.ticket);
    assert.notEqual(await first.nextOf("x"), null);
    second.hello(ticket.ticket);
    // A ticket is waited for as long as 5 s.
    const gone = await Promise.race([first.closed.then(() => "first"), second.closed.then(() => "second")]);
    assert.equal(gone, "second");
    first.send("w", Buffer.of(0, 0));
    assert.deepEqual(
      (await first.rest()).map(({ type }) => type),
      ["z"],
    );
  });

  for (const [how, leave] of [
    ["leaves", (shim: ReturnType<RecorderUnderTest["connect"]>) => shim.socket.end()],
    ["says more than its hello", (shim: ReturnType<RecorderUnderTest["connect"]>) => shim.send("c")],
  ] as const) {
    it(`begins no session for a shim that ${how} before its ticket comes`, async () => {
      const ticket = recorder.ticket();
      const shim = recorder.connect();
      shim.hello(ticket.ticket);
      leave(shim);
      await shim.closed;
      recorder.send(ticket);
      await stillWorks();
      assert.ok(!began().includes(ticket.live.session));
    });
  }

  it("goes on with its other sessions when a terminal cannot be had", async () => {
    const { shim: other } = await recorder.begin({ command: COMMAND });
    const ticket = recorder.ticket({ uid: 2 ** 33 });
    recorder.send(ticket);
    const shim = recorder.connect();
    shim.hello(ticket.ticket);
    assert.deepEqual(await shim.rest(), []);
    await recorder.says("failed", ticket.live.session);
    other.send("w", Buffer.of(0, 0));
    assert.deepEqual(
      (await other.rest()).map(({ type }) => type),
      ["z"],
    );
    await stillWorks();
    const about = recorder.said
      .filter((one) => sessionOf(one) === ticket.live.session)
      .map(({ type }) => type);
    assert.deepEqual(
      about,
      ["failed"],
      "the agent recovers what has failed: nothing may be written after that",
    );
  });

  it("leaves, once drained, when everything has been handed over", async () => {
    const { shim, session } = await recorder.begin();
    shim.socket.pause();
    recorder.send({ type: "drain" });
    const text = "x".repeat(1000);
    for (let i = 0; i < 2000; i++) recorder.send({ type: "message", session, text });
    recorder.send({ type: "end", session, reason: "revoked", detail: "", text: "" });
    await recorder.says("ended", session);
    shim.socket.resume();
    const frames = await shim.rest();
    assert.equal(frames.filter(({ type }) => type === "t").length, 2000);
    assert.equal(frames.at(-1)?.type, "z");
    assert.equal(await recorder.exited, 0);
  });

  it("takes no new session while it drains, and ends none", async () => {
    const { shim, session } = await recorder.begin();
    recorder.send({ type: "drain" });
    recorder.send({ type: "message", session, text: "still here\n" });
    assert.equal(String(await shim.nextOf("t")), "still here\r\n");
    shim.send("w", Buffer.of(0, 0));
    await recorder.says("ended", session);
    assert.equal(await recorder.exited, 0);
  });
});

describe("a recorder whose disk is full", () => {
  it("ends the session, and says so, and shows nothing that it did not record", async () => {
    const recorder = await RecorderUnderTest.start(makeSmallSpool("size=1m,nr_inodes=64"));
    try {
      const { shim, session } = await recorder.begin({ command: COMMAND });
      let sent = 0;
      shim.socket.on("drain", () => send());
      const send = () => {
        while (sent < 8_000_000 && shim.socket.writable && !shim.socket.writableNeedDrain) {
          shim.send("o", randomBytes(10_000));
          sent += 10_000;
        }
      };
      send();
      const frames = await shim.rest();
      const [last, text] = [frames.pop(), frames.pop()];
      assert.deepEqual(last, { type: "z", data: Buffer.of(0, 254) });
      assert.match(
        String(text?.data),
        /^sallyport: this session cannot be recorded any longer, so it ends\..*\r\n$/,
      );
      const released = frames.reduce(
        (sum, { type, data }) => sum + (type === "a" ? data.readUInt32BE(0) : 0),
        0,
      );
      assert.ok(released < 1024 * 1024, `${released} bytes shown with 1 MiB of disk`);
      assert.match((await recorder.says("failed", session)).message, /ENOSPC/);
      await within(1000, "it goes on", () => recorder.alive);
    } finally {
      await recorder.close();
    }
  });
});
