import assert from "node:assert/strict";
import { ClockSkew, type Skew } from "@sallyport/agent/clock/clock-skew.ts";

describe("what other clocks say", () => {
  let said: Skew[];
  let skew: ClockSkew;
  beforeEach(() => {
    said = [];
    skew = new ClockSkew((one) => said.push(one));
  });

  it("is kept by peer, the last word of each", () => {
    skew.note("control plane", 0.04);
    skew.note("https://idp.example", -2.26);
    skew.note("control plane", 1.26);
    assert.deepEqual(skew.skew(), [
      { peer: "control plane", seconds: 1.3 },
      { peer: "https://idp.example", seconds: -2.3 },
    ]);
    assert.deepEqual(said, []);
  });

  it("is said when it is large, and not with every word", () => {
    for (const seconds of [29, -29, 3600, 3601, 3599, 7200, 0, -31]) skew.note("control plane", seconds);
    assert.deepEqual(
      said.map((one) => one.seconds),
      [3600, 7200, -31],
    );
  });
});
