import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { Terminal } from "@sallyport/agent/recorder/terminal.ts";
import { MAX_SHIM_FRAME, shimFrame, TICKET_LENGTH } from "@sallyport/agent/shim/shim-protocol.ts";
import fc from "fast-check";
import { buildShim, type SanitizedShim } from "../unit/agent/support/shim.ts";
import {
  outcomeOf,
  type Peer,
  stage as program,
  ShimStage,
  starting,
} from "../unit/agent/support/shim-run.ts";
import { temporaryDirectory } from "../unit/agent/support/temporary.ts";
import { fuzz, RUNS, timeLimit } from "./support/fuzz.ts";

/** A process for each case: a small part of the cases, which shim-parsers.test.ts has in full. */
const PROCESSES = Math.ceil(RUNS / 60);
/** A machine under load may take this long for one shim; one that hangs is ended before. */
const LONGEST_MS = 30_000;

/** What the command prints, in letters that nothing else has: only what was released may be seen. */
const OUT = 5000;
const ERR = 300;
const SCRIPT = `head -c ${OUT} /dev/zero | tr '\\0' O; head -c ${ERR} /dev/zero | tr '\\0' E >&2; cat >/dev/null`;

type Step = { bytes: Buffer } | { await: "output" | "hello" | "turn" };

const small = fc.uint8Array({ maxLength: 40, size: "max" }).map((array) => Buffer.from(array));
const text = fc
  .string({ unit: fc.constantFrom(..."abcxyz \n"), maxLength: 600, size: "max" })
  .map((one) => Buffer.from(one));
const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const count = fc.oneof(
  { weight: 6, arbitrary: fc.nat(400) },
  { weight: 2, arbitrary: fc.nat(OUT + 10) },
  { weight: 1, arbitrary: fc.constantFrom(OUT, OUT + 1, 0x7fffffff, 0x80000000, 0xffffffff) },
);
const length = fc.oneof(
  fc.constantFrom(0, 1, MAX_SHIM_FRAME, MAX_SHIM_FRAME + 1, 0x7fffffff, 0x80000000, 0xffffffff),
  fc.nat(2 ** 32 - 1),
  fc.nat(64),
);

const release = fc.tuple(count, count).map(([o, e]) => shimFrame("a", uint32(o), uint32(e % (ERR + 5))));
const good = fc.oneof(
  { weight: 5, arbitrary: release },
  { weight: 2, arbitrary: text.map((one) => shimFrame("t", one)) },
  { weight: 1, arbitrary: text.map((one) => shimFrame("d", one)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(1), fc.nat(255)).map(([how, value]) => shimFrame("z", Buffer.of(how, value))),
  },
);
const bad = fc.oneof(
  fc.tuple(fc.constantFrom(..."adtzxykmgrph?\0"), small).map(([type, data]) => shimFrame(type, data)),
  fc.tuple(length, small).map(([size, data]) => Buffer.concat([uint32(size), data])),
  small,
  fc.tuple(good, fc.nat(12)).map(([frame, keep]) => frame.subarray(0, Math.min(keep, frame.length))),
  fc.tuple(good, fc.nat(100), fc.nat(255)).map(([frame, at, value]) => {
    const changed = Buffer.from(frame);
    changed[at % changed.length] = value;
    return changed;
  }),
);
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: good.map((bytes): Step => ({ bytes })) },
    { weight: 2, arbitrary: bad.map((bytes): Step => ({ bytes })) },
    {
      weight: 2,
      arbitrary: fc.constantFrom<Step>({ await: "output" }, { await: "hello" }, { await: "turn" }),
    },
  ),
  { maxLength: 12, size: "max" },
);
const ending = fc.constantFrom("end", "destroy", "leave");

describe("fuzz: the shim against peers that say anything", function () {
  this.timeout(timeLimit());
  const directory = temporaryDirectory("suite");
  let shim: SanitizedShim;
  let stage: ShimStage;
  before(async () => {
    mkdirSync(directory.file("run"));
    shim = buildShim(directory.file("run"), directory.file("shim"));
    stage = await ShimStage.open(shim, directory.file("run"));
  });
  after(() => stage.close());

  const check = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => Promise<void>, runs = PROCESSES) => {
    const run = async (value: T) => {
      await property(value);
      assert.equal(shim.findings(), "");
    };
    // What a sanitizer found stays found: no smaller case would pass.
    return fuzz(arbitrary, run, { runs, longest: LONGEST_MS, shrink: false });
  };
  const shell = program("/bin/sh", "sh", "-c", SCRIPT);
  const start = starting(shell);

  /** What a recorder does step by step. In the end it always goes: a shim whose recorder is silent may wait. */
  const play = async (peer: Peer, script: Step[], how: string) => {
    for (const step of script) {
      if ("bytes" in step) peer.socket.write(step.bytes);
      else if (step.await === "turn") await turn();
      else if (step.await === "hello") await peer.until((one) => one.has("h"));
      else await peer.until((one) => one.bytes("o").length >= OUT && one.bytes("e").length >= ERR);
    }
    if (how === "leave") peer.socket.write(shimFrame("z", Buffer.of(0, 9)));
    if (how === "destroy") peer.socket.destroy();
    else peer.socket.end();
  };

  it("never shows a byte of a command that was not released, and leaves with its recorder", async () => {
    await check(fc.tuple(steps, ending, small), async ([script, how, input]) => {
      stage.onAgent = (peer) => peer.socket.end(stage.go());
      stage.onRecorder = (peer) => void play(peer, [{ bytes: start }, { await: "hello" }, ...script], how);
      const child = stage.start();
      child.stdin?.on("error", () => {});
      child.stdin?.end(input);
      const { stdout, stderr } = await outcomeOf(child);
      const [output, error] = mostReleased(script);
      assert.match(stdout.toString("latin1"), /^O*$/);
      assert.ok(stdout.length <= Math.min(OUT, output), `${stdout.length} of ${output}`);
      const errors = stderr.toString("latin1").replaceAll(/[^E]/g, "").length;
      assert.ok(errors <= Math.min(ERR, error), `${errors} of ${error}`);
    });
  });

  it("survives any instructions", async () => {
    const field = fc.tuple(
      fc.constantFrom(..."tfaeuEDcNLP|q\0"),
      fc.oneof(
        small,
        fc.constantFrom("/bin/true", "A=b", "", "\0\0\0\0\0\0\0\x01/usr").map((one) => Buffer.from(one)),
        fc.constant(Buffer.from("1".padStart(16, "0").padEnd(48, "0"), "hex")),
      ),
      fc.option(length, { freq: 8 }),
    );
    const instructions = fc
      .array(field, { maxLength: 14, size: "max" })
      .map((fields) =>
        fields.map(([kind, data, size]) =>
          Buffer.concat([Buffer.from(kind), uint32(size ?? data.length), data]),
        ),
      );
    await check(fc.tuple(instructions, fc.nat(3), ending, steps), async ([fields, cut, how, script]) => {
      const frame = shimFrame("x", ...fields);
      stage.onAgent = (peer) => peer.socket.end(stage.go());
      stage.onRecorder = (peer) =>
        void play(
          peer,
          [
            { bytes: frame.subarray(0, frame.length - cut) },
            ...script.filter((step) => !("await" in step && step.await === "output")),
          ],
          how,
        );
      const { stdout } = await stage.run();
      assert.equal(stdout.toString("latin1").replaceAll("O", ""), "");
    });
  });

  it("survives any answer of the agent's", async () => {
    const ticket = Buffer.alloc(TICKET_LENGTH, 1);
    const answer = fc.oneof(
      small,
      fc.tuple(length, small).map(([size, data]) => Buffer.concat([uint32(size), data])),
      fc
        .tuple(fc.constantFrom(..."grpxq"), fc.uint8Array({ maxLength: 300, size: "max" }))
        .map(([type, data]) => shimFrame(type, data)),
      fc.uint8Array({ maxLength: 120, size: "max" }).map((path) => shimFrame("g", ticket, path)),
      fc.nat(80).map((keep) => stage.go().subarray(0, keep)),
      fc
        .tuple(fc.nat(255), fc.integer({ min: 100_000, max: MAX_SHIM_FRAME - 2 }))
        .map(([status, size]) => shimFrame("r", Buffer.of(status), Buffer.alloc(size, "x"))),
    );
    await check(fc.tuple(fc.array(answer, { maxLength: 3 }), fc.boolean()), async ([answers, principals]) => {
      stage.onAgent = (peer) => {
        for (const bytes of answers) peer.socket.write(bytes);
        peer.socket.end();
      };
      stage.onRecorder = (peer) => peer.socket.end();
      const { status, stdout } = await stage.run(principals ? ["principals", "--user=x"] : ["session"]);
      if (principals) assert.equal(status, 0);
      else assert.equal(stdout.length, 0);
    });
  });

  it("shows on a terminal what its recorder sent, in order, and nothing else", async () => {
    const inner = new Terminal(80, 24, 0, 0);
    try {
      await check(
        fc.tuple(steps, ending),
        async ([script, how]) => {
          const echo = program("/bin/sh", "sh", "-c", "echo OOO; exec cat");
          const begin = starting(echo, { terminal: inner.path });
          const known = script.filter((step) => !("await" in step && step.await === "output"));
          stage.onAgent = (peer) => peer.socket.end(stage.go());
          stage.onRecorder = (peer) => void play(peer, [{ bytes: begin }, { await: "hello" }, ...known], how);
          const terminal = stage.startOnTerminal();
          await terminal.exited;
          const sent = Buffer.concat(
            known.map((step) => ("bytes" in step ? step.bytes : Buffer.alloc(0))),
          ).toString("latin1");
          const shown = terminal.bytes.toString("latin1").replace(/(\r\n)?sallyport: [^\n]*\n/g, "");
          assert.ok(isWithin(shown, sent), JSON.stringify({ shown, sent }));
        },
        PROCESSES / 3,
      );
    } finally {
      inner.close();
    }
  });
});

/** The most that these bytes can have released of output and errors, however they are read. */
function mostReleased(script: Step[]): [number, number] {
  let [output, error] = [0, 0];
  const stream = Buffer.concat(script.map((step) => ("bytes" in step ? step.bytes : Buffer.alloc(0))));
  for (let at = 0; at + 5 <= stream.length; ) {
    const size = stream.readUInt32BE(at);
    if (size < 1 || size > MAX_SHIM_FRAME || at + 4 + size > stream.length) break;
    if (stream[at + 4] === 0x61 && size === 9) {
      output += stream.readUInt32BE(at + 5);
      error += stream.readUInt32BE(at + 9);
    }
    at += 4 + size;
  }
  return [output, error];
}

/** True when every character of `part` comes in `whole`, in the same order. */
function isWithin(part: string, whole: string): boolean {
  let at = 0;
  for (const letter of part) {
    at = whole.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}
