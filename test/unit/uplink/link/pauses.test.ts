import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import sinon from "sinon";
import { hostKeys } from "../spool/spool.ts";
import { TestControlPlane } from "./control-plane.ts";
import { HOST_ID, TestHost } from "./host.ts";

/** Only the link's own timers are held; sockets and ws go on by themselves. */
function holdTimers(): sinon.SinonFakeTimers {
  return sinon.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
}

describe("the pauses of the link", () => {
  let clock: sinon.SinonFakeTimers;
  afterEach(() => sinon.restore());

  describe("while the control plane is away", () => {
    let server: Server;
    let host: TestHost;
    beforeEach(async () => {
      server = createServer((socket) => socket.destroy());
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      host = new TestHost(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      clock = holdTimers();
    });
    afterEach(async () => {
      host.link.close();
      await new Promise((resolve) => server.close(resolve));
    });

    it("grow from a fifth of a second to five seconds, each with chance in it", async () => {
      const set = sinon.spy(globalThis, "setTimeout");
      // The other timer that the link sets, for silence, is longer.
      const pauses = () => set.args.map(([, ms]) => ms ?? 0).filter((ms) => ms < 60_000);
      host.link.start();
      for (let i = 0; i < 10; i++) {
        while (pauses().length === i) await new Promise(setImmediate);
        const pause = pauses().at(-1) ?? 0;
        const middle = Math.min(200 * 2 ** i, 5000);
        assert.ok(pause >= middle * 0.5 && pause <= middle * 1.5, `pause ${i} is ${pause} ms`);
        clock.tick(pause);
      }
    });
  });

  it("grow while each link ends as soon as it is up: whoever ends it is in trouble", async () => {
    const plane = await TestControlPlane.start(HOST_ID, hostKeys.publicKey);
    const host = new TestHost(plane.url);
    clock = holdTimers();
    const set = sinon.spy(globalThis, "setTimeout");
    const pauses = () => set.args.map(([, ms]) => ms ?? 0).filter((ms) => ms < 10_000);
    host.link.start();
    for (let i = 0; i < 5; i++) {
      await host.until(() => host.connected === i + 1);
      plane.socket?.terminate();
      while (pauses().length === i) await new Promise(setImmediate);
      const pause = pauses().at(-1) ?? 0;
      assert.ok(pause >= 100 * 2 ** i && pause <= 300 * 2 ** i, `pause ${i} is ${pause} ms`);
      clock.tick(pause);
    }
    host.link.close();
    await plane.close();
  });

  describe("on a link that is up", () => {
    let plane: TestControlPlane;
    let host: TestHost;
    beforeEach(async () => {
      plane = await TestControlPlane.start(HOST_ID, hostKeys.publicKey);
      host = new TestHost(plane.url);
      clock = holdTimers();
      host.link.start();
      await host.until(() => host.connected === 1);
    });
    afterEach(async () => {
      host.link.close();
      await plane.close();
    });

    it("end it after more than a minute of silence", async () => {
      clock.tick(64_000);
      assert.equal(host.link.connected, true);
      clock.tick(2_000);
      await host.until(() => host.losses.length === 1);
      clock.tick(300);
      await host.until(() => host.connected === 2);
    });

    it("begin anew with every message and every ping", async () => {
      for (let i = 0; i < 5; i++) {
        clock.tick(60_000);
        if (i % 2 === 0) {
          const pong = once(plane.socket ?? plane, "pong");
          plane.socket?.ping();
          await pong;
        } else {
          plane.send({ type: "jwks-hint", issuer: "https://i.example", kid: String(i) });
          await host.until(
            () => host.messages.at(-1)?.type === "jwks-hint" && host.messages.length === (i + 1) / 2,
          );
        }
      }
      assert.equal(host.link.connected, true);
      assert.equal(host.losses.length, 0);
    });
  });
});
