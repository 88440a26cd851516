import assert from "node:assert/strict";
import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { Terminal } from "@sallyport/agent/recorder/terminal.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { within } from "../support/within.ts";

describe("a session's terminal", () => {
  const directory = temporaryDirectory();
  let terminal: Terminal;
  let slave: number;
  let output: Buffer[];
  let ended: boolean;

  beforeEach(() => {
    terminal = new Terminal(80, 24, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
    slave = openSync(terminal.path, constants.O_RDWR | constants.O_NOCTTY);
    [output, ended] = [[], false];
    terminal.read(
      (bytes) => output.push(Buffer.from(bytes)),
      () => (ended = true),
    );
    terminal.releaseSlave();
  });
  afterEach(() => terminal.close());

  it("gives what its shell prints, and its end when the shell has gone", async () => {
    writeSync(slave, "hello");
    closeSync(slave);
    await within(2000, "the end", () => ended);
    assert.equal(Buffer.concat(output).toString(), "hello");
  });

  it("touches no descriptor any more once it has ended", async () => {
    closeSync(slave);
    await within(2000, "the end", () => ended);
    // Its descriptor's number is given to the next that opens something: another session's recording, say.
    const victims = Array.from({ length: 8 }, (_, i) => openSync(directory.file(`victim-${i}`), "w"));
    terminal.write(Buffer.from("typed into the dark"));
    terminal.resize(100, 30);
    assert.equal(terminal.echoOff, false);
    for (const [i, fd] of victims.entries()) {
      fstatSync(fd);
      closeSync(fd);
      assert.equal(readFileSync(directory.file(`victim-${i}`), "utf8"), "");
    }
  });

  it("lets waiting input go when it ends, so that its contractor is heard again", async () => {
    let drained = false;
    terminal.onInputDrained = () => (drained = true);
    const line = Buffer.from(`${"x".repeat(79)}\n`.repeat(2000));
    assert.equal(terminal.write(line), false, "nobody reads: the caller is asked to wait");
    assert.equal(drained, false);
    closeSync(slave);
    await within(2000, "the end", () => ended);
    await within(2000, "drained", () => drained);
    assert.equal(terminal.write(line), true, "and what comes later is not waited for");
  });

  it("leaves no descriptor behind when it is made for an account that cannot be", () => {
    const before = openDescriptors();
    assert.throws(() => new Terminal(80, 24, 2 ** 33, 0));
    assert.equal(openDescriptors(), before);
  });
});

function openDescriptors(): number {
  let count = 0;
  for (let fd = 0; fd < 256; fd++) {
    try {
      fstatSync(fd);
      count++;
    } catch {
      // not open
    }
  }
  return count;
}
