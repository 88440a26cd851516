import assert from "node:assert/strict";
import { once } from "node:events";
import { MAX_LINK_MESSAGE } from "@sallyport/core/messages/host-link.ts";
import { hostKeys, timers } from "../spool/spool.ts";
import { TestControlPlane } from "./control-plane.ts";
import { HOST_ID, TestHost } from "./host.ts";

const hint = (kid: string) => ({ type: "jwks-hint", issuer: "https://i.example", kid }) as const;

describe("the link to the control plane", () => {
  let plane: TestControlPlane;
  let host: TestHost;
  beforeEach(async () => {
    plane = await TestControlPlane.start(HOST_ID, hostKeys.publicKey);
    host = new TestHost(plane.url);
  });
  afterEach(async () => {
    host.link.close();
    await plane.close();
  });

  it("signs in with the host's key and says what the host has", async () => {
    host.link.start();
    assert.equal(host.link.connected, false);
    await host.until(() => host.connected === 1);
    assert.equal(host.link.connected, true);
    const [hello] = plane.received;
    assert.ok(hello?.type === "hello");
    assert.deepEqual([hello.agentVersion, hello.bundleVersion, hello.revocationSequence], ["1.2.3", 3, 5]);
    assert.ok(Math.abs(host.skews[0] ?? 99) < 5);
  });

  it("passes on what is valid, in order, and sends what it is given", async () => {
    host.link.start();
    await host.until(() => host.connected === 1);
    for (const kid of ["a", "b", "c"]) plane.send(hint(kid));
    await host.until(() => host.messages.length === 3);
    assert.deepEqual(host.messages, [hint("a"), hint("b"), hint("c")]);
    assert.equal(host.link.send({ type: "bundle-ack", version: 4 }), true);
    await plane.until(() => plane.received.length === 2);
    assert.deepEqual(plane.received[1], { type: "bundle-ack", version: 4 });
    assert.equal(host.link.congested, false);
  });

  it("passes over what is not valid, and stays up", async () => {
    host.link.start();
    await host.until(() => host.connected === 1);
    const bad = ["", "{", "null", "[]", '{"type":"shutdown"}', '{"type":"bundle-ack","version":1}'];
    const more = [{ ...hint("x"), extra: 1 }, { type: "lease", jws: "x".repeat(9000) }, { type: "welcome" }];
    for (const text of [...bad, ...more.map((one) => JSON.stringify(one))]) plane.socket?.send(text);
    plane.socket?.send(Buffer.from(JSON.stringify(hint("binary"))));
    plane.send(hint("good"));
    await host.until(() => host.messages.length === 1);
    assert.deepEqual(host.messages, [hint("good")]);
    assert.equal(plane.connections, 1);
  });

  it("takes nothing and sends nothing before it is welcome", async () => {
    plane.welcomes = false;
    host.link.start();
    await plane.until(() => plane.received.length === 1);
    plane.send(hint("early"));
    assert.equal(host.link.send({ type: "bundle-ack", version: 1 }), false);
    assert.equal(
      host.link.sendBlock(Buffer.alloc(1), () => {}),
      false,
    );
    plane.send({ type: "welcome", clock: 0 });
    plane.send(hint("late"));
    await host.until(() => host.messages.length === 1);
    assert.deepEqual(host.messages, [hint("late")]);
    assert.equal(plane.received.length, 1);
  });

  it("is not welcome where it was never asked to sign in", async () => {
    plane.name = "https://another.example";
    host.link.start();
    const [socket] = await once(plane, "connection");
    socket.send(JSON.stringify({ type: "welcome", clock: 0 }));
    const [code] = await once(plane, "gone");
    assert.equal(code, 4400);
    assert.equal(host.connected, 0);
  });

  it("refuses a server of another name: signs nothing, takes nothing from it, and tries again", async () => {
    plane.name = "https://another.example";
    plane.on("connection", () => {
      plane.send({ type: "welcome", clock: 0 });
      plane.send(hint("evil"));
    });
    host.link.start();
    await plane.until(() => plane.connections === 2);
    assert.deepEqual([plane.received, host.messages, host.connected], [[], [], 0]);
    plane.removeAllListeners("connection");
    plane.name = undefined;
    await host.until(() => host.connected === 1);
    assert.deepEqual(host.messages, []);
  });

  it("connects again when it is lost, and signs in with what the host has by then", async () => {
    host.link.start();
    await host.until(() => host.connected === 1);
    host.bundleVersion = 9;
    plane.socket?.close(1001, "restart");
    await host.until(() => host.losses.length === 1);
    assert.equal(host.link.connected, false);
    assert.match(host.losses[0] ?? "", /1001 restart/);
    assert.equal(host.link.send({ type: "bundle-ack", version: 1 }), false);
    await host.until(() => host.connected === 2);
    const hellos = plane.received.filter((message) => message.type === "hello");
    assert.deepEqual(
      hellos.map((hello) => hello.bundleVersion),
      [3, 9],
    );
  });

  it("connects again when the control plane was away altogether", async () => {
    host.link.start();
    await host.until(() => host.connected === 1);
    const { port } = plane;
    await plane.close();
    await host.until(() => host.losses.length === 1);
    plane = await TestControlPlane.start(HOST_ID, hostKeys.publicKey, port);
    await host.until(() => host.connected === 2);
  });

  it("gives up a server that sends more than is allowed, and connects again", async () => {
    host.link.start();
    await host.until(() => host.connected === 1);
    plane.socket?.send("x".repeat(MAX_LINK_MESSAGE + 1));
    await host.until(() => host.connected === 2);
    assert.equal(host.losses.length, 1);
  });

  it("sends nothing into a socket that is closing", async () => {
    host.link.start();
    await host.until(() => host.connected === 1);
    host.link.send({ type: "bundle-ack", version: 1 });
    host.link.close();
    assert.equal(host.link.send({ type: "bundle-ack", version: 2 }), false);
    assert.equal(
      host.link.sendBlock(Buffer.alloc(1), () => {}),
      false,
    );
  });

  it("is closed for good: nothing is left, and it does not come back", async () => {
    const before = await timers();
    host.link.start();
    await host.until(() => host.connected === 1);
    host.link.close();
    await host.until(() => host.losses.length === 1);
    await plane.until(() => plane.socket?.readyState === 3);
    host.link.start();
    host.link.close();
    assert.equal(await timers(), before);
    assert.equal(plane.connections, 1);
  });

  it("is closed for good also while it connects, and before it ever did", async () => {
    const before = await timers();
    host.link.close();
    const other = new TestHost(plane.url);
    other.link.start();
    other.link.close();
    const third = new TestHost("http://127.0.0.1:1");
    third.link.start();
    third.link.close();
    await new Promise(setImmediate);
    assert.equal(await timers(), before);
    assert.equal(other.connected + third.connected, 0);
  });

  it("stays up when what it tells of a message throws", async () => {
    const warnings: Error[] = [];
    const keep = (warning: Error) => warnings.push(warning);
    process.on("warning", keep);
    let calls = 0;
    const clumsy = new TestHost(plane.url, {
      onMessage: () => {
        calls++;
        plane.emit("activity");
        throw new Error("the disk is full");
      },
      onClock: () => {
        throw new Error("no clock");
      },
    });
    clumsy.link.start();
    await clumsy.until(() => clumsy.connected === 1);
    plane.send(hint("a"));
    plane.send(hint("b"));
    await plane.until(() => calls === 2);
    assert.equal(clumsy.link.connected, true);
    await new Promise(setImmediate);
    process.off("warning", keep);
    assert.deepEqual(
      warnings.map(({ message }) => /the disk is full|no clock/.test(message)),
      [true, true, true],
    );
    clumsy.link.close();
  });
});
