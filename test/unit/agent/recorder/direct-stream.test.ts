import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { takeDescriptors } from "@sallyport/agent/kernel/system-calls.ts";
import { DirectSink, DirectSource } from "@sallyport/agent/recorder/direct-stream.ts";

describe("descriptors that are taken from another process", () => {
  it("carry bytes both ways, pause, tell when what waited has gone, and end", async () => {
    // Copies of our own ends, as of a shim's.
    const cat = spawn("cat", { stdio: ["pipe", "pipe", "ignore"] });
    const { _handle: input } = cat.stdin as unknown as { _handle: { fd: number } };
    const { _handle: output } = cat.stdout as unknown as { _handle: { fd: number } };
    const [write = -1, read = -1] = takeDescriptors(process.pid, [input.fd, output.fd]);
    cat.stdin.destroy();
    cat.stdout.destroy();
    const content = randomBytes(3_000_001);
    const got: Buffer[] = [];
    let at = 0;
    const feed = () => {
      // Pieces whose rest is a few bytes: less than a socket would tell of by "drain".
      while (at < content.length && !sink.congested) {
        sink.write(content.subarray(at, at + 65_537));
        at += 65_537;
      }
      if (at >= content.length) sink.close();
    };
    const ended = new Promise<boolean>((resolve) => {
      const onEnd = () => resolve(source.ended);
      const source = new DirectSource(read, (bytes) => void got.push(Buffer.from(bytes)), onEnd);
      source.resume();
    });
    const sink = new DirectSink(write, feed, () => {});
    feed();
    assert.ok(await ended, "it says that it has ended when it tells so");
    assert.ok(Buffer.concat(got).equals(content));
  });

  it("cannot be had of a process or a number that is not there", () => {
    assert.throws(() => takeDescriptors(process.pid, [0, 987_654]), /pidfd_getfd/);
    assert.throws(() => takeDescriptors(2 ** 22 + 1, [0]), /pidfd_open/);
  });
});
