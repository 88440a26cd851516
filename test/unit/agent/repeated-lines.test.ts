import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { withoutRepeats } from "@sallyport/agent/repeated-lines.ts";
import { createLogger, format, transports } from "winston";

describe("the agent's log", () => {
  let now = 0;
  let lines: { level: string; message: string; repeated?: number; n?: number }[];
  const logger = () => {
    [now, lines] = [0, []];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        lines.push(JSON.parse(String(chunk)));
        done();
      },
    });
    return createLogger({
      format: format.combine(
        withoutRepeats(() => now),
        format.timestamp(),
        format.json(),
      ),
      transports: [new transports.Stream({ stream })],
    });
  };
  const said = () => lines.map(({ message, repeated }) => [message, repeated]);

  it("has a trouble that lasts once a minute, and how often it was not written", () => {
    const log = logger();
    for (now = 0; now < 120_000; now += 1_000) log.error("the disk is full", { error: "ENOSPC" });
    log.error("the disk is full", { error: "ENOSPC" });
    assert.deepEqual(said(), [
      ["the disk is full", undefined],
      ["the disk is full", 59],
      ["the disk is full", 59],
    ]);
  });

  it("has everything that is not the same, and everything that is no trouble", () => {
    const log = logger();
    for (const n of [1, 2, 3]) log.warn("a recording is sick", { n });
    for (let i = 0; i < 3; i++) log.info("login");
    assert.equal(lines.length, 6);
  });

  it("remembers no more than it must", () => {
    const log = logger();
    for (let n = 0; n < 600; n++) log.error("x", { n });
    log.error("x", { n: 0 });
    log.error("x", { n: 599 });
    assert.equal(lines.length, 601);
  });
});
