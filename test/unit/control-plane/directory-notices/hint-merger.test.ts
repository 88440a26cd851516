import assert from "node:assert/strict";
import { HintMerger } from "@sallyport/control-plane/directory-notices/hint-merger.ts";
import sinon from "sinon";

describe("hints of directories", () => {
  let timers: sinon.SinonFakeTimers;
  let asked: string[];
  let hints: HintMerger;
  beforeEach(() => {
    timers = sinon.useFakeTimers();
    asked = [];
    hints = new HintMerger({ checkNow: (issuer, subject) => void asked.push(`${issuer} ${subject}`) });
  });
  afterEach(() => {
    hints.stop();
    timers.restore();
  });

  it("are followed at once", () => {
    hints.hint("https://idp", "dana");
    hints.hint("https://other", "dana");
    assert.deepEqual(asked, ["https://idp dana", "https://other dana"]);
  });

  it("are one more check 10 s later when more come in between, so that the last change is seen", () => {
    hints.hint("i", "dana");
    for (let i = 0; i < 1000; i++) {
      timers.tick(9);
      hints.hint("i", "dana");
    }
    assert.equal(asked.length, 1);
    timers.tick(1000);
    assert.equal(asked.length, 2);
    timers.tick(60_000);
    assert.equal(asked.length, 2);
    hints.hint("i", "dana");
    assert.equal(asked.length, 3);
  });

  it("of a flood about ever other people are bounded, and come again later", () => {
    for (let i = 0; i < 20_000; i++) hints.hint("i", `user-${i}`);
    assert.equal(asked.length, 10_000);
    timers.tick(10_000);
    hints.hint("i", "dana");
    assert.equal(asked.length, 10_001);
  });

  it("are not followed after the end", () => {
    hints.hint("i", "dana");
    hints.hint("i", "dana");
    hints.stop();
    timers.tick(60_000);
    assert.equal(asked.length, 1);
  });
});
