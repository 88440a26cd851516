import assert from "node:assert/strict";
import { Endings } from "@sallyport/agent/sessions/endings.ts";

describe("connections that are being ended", () => {
  const monitor = { pid: 7, startTime: 1 };

  it("are ended once, and waited for by whoever comes later, also with nothing of theirs to end", async () => {
    const endings = new Endings();
    const gone = Promise.withResolvers<void>();
    const heard: unknown[] = [];
    // The look of every half second finds a session that is revoked, and a moment later the acknowledgement is due.
    void endings.of(monitor, () => gone.promise).then(() => heard.push("first"));
    void endings.of(monitor, () => Promise.reject(new Error("twice"))).then(() => heard.push("second"));
    void endings.over().then(() => heard.push("acknowledged"));
    await new Promise(setImmediate);
    assert.equal(heard.length, 0);
    gone.resolve();
    await new Promise(setImmediate);
    assert.deepEqual(heard, ["first", "second", "acknowledged"]);
    await endings.of(monitor, async () => void heard.push("another with that number"));
    await endings.over();
    assert.equal(heard.length, 4);
  });
});
