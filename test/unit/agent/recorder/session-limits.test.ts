import assert from "node:assert/strict";
import { SessionLimitWatch } from "../../../../agent/src/recorder/session-limits.ts";

describe("the limits of a session", () => {
  const none = { idle: null, longest: null };
  /** What the watch says at these times, in seconds; a time in brackets is a key that is pressed. */
  const says = (limits: Partial<typeof none> | object, ...moments: (number | [number])[]) => {
    const watch = new SessionLimitWatch({ ...none, ...limits }, 0);
    return moments.flatMap((moment) => {
      if (Array.isArray(moment)) watch.touch(moment[0] * 1000);
      const verdict = Array.isArray(moment) ? null : watch.look(moment * 1000);
      return verdict === null
        ? []
        : [`${moment} ${verdict.act}${verdict.act === "end" ? ` ${verdict.reason}` : ""}`];
    });
  };

  it("are none where none is set", () => assert.deepEqual(says({}, 0, 1e6), []));
  it("warn once, then end, when nothing is typed", () =>
    assert.deepEqual(says({ idle: 600 }, 539, 540, 541, 599, 600), ["540 warn", "600 end idle"]));
  it("begin anew with each key, and warn again", () =>
    assert.deepEqual(says({ idle: 600 }, 540, [550], 600, 1089, 1090, 1150), [
      "540 warn",
      "1090 warn",
      "1150 end idle",
    ]));
  it("end what lasts too long, whatever is typed", () =>
    assert.deepEqual(says({ longest: 600 }, [539], 540, [599], 600), ["540 warn", "600 end too-long"]));
  it("warn a third before a short one", () =>
    assert.deepEqual(says({ idle: 30 }, 19, 20, 30), ["20 warn", "30 end idle"]));
  it("end for the harder reason when both are due", () =>
    assert.deepEqual(says({ idle: 60, longest: 60 }, 60), ["60 end too-long"]));
  it("say how long in words that people use", () => {
    const text = (limits: object, at: number) =>
      new SessionLimitWatch({ ...none, ...limits }, 0).look(at * 1000)?.text;
    assert.match(text({ longest: 28_800 }, 28_800) ?? "", /lasted 8 h, as long/);
    assert.match(text({ idle: 900 }, 840) ?? "", /ends in 60 s unless you type/);
    assert.match(text({ idle: 900 }, 900) ?? "", /Nothing was typed for 15 min\./);
  });
});
