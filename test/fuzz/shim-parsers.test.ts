import assert from "node:assert/strict";
import {
  decodeArguments,
  decodeChildStatus,
  decodeHello,
  decodeSessionRequest,
  MAX_SHIM_FRAME,
  SHIM_PROTOCOL_VERSION,
  ShimFrameReader,
  shimFrame,
  TICKET_LENGTH,
} from "@sallyport/agent/shim/shim-protocol.ts";
import { encodeStart } from "@sallyport/agent/shim/start-instructions.ts";
import fc from "fast-check";
import { temporaryDirectory } from "../unit/agent/support/temporary.ts";
import { fuzz, timeLimit } from "./support/fuzz.ts";
import { awkwardLength, edits, mutate } from "./support/mutate.ts";
import { answerIn, firstFrame, hashOf, instructionsIn, pumpedBy } from "./support/shim-model.ts";
import { ShimParsers } from "./support/shim-parsers.ts";

const bytes = fc.uint8Array({ maxLength: 120, size: "max" }).map((array) => Buffer.from(array));
const uint32 = (value: number) => {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(value);
  return four;
};
const types = (letters: string) => fc.constantFrom(...letters);

/** A stream of frames, most of them good, with noise, false lengths and the largest frames in between. */
const stream = (frame: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .array(
      fc.oneof(
        { weight: 8, arbitrary: frame },
        { weight: 1, arbitrary: fc.tuple(awkwardLength, bytes).map((parts) => Buffer.concat(parts)) },
        { weight: 1, arbitrary: bytes },
        { weight: 1, arbitrary: fc.tuple(frame, edits).map(([one, list]) => mutate(one, list)) },
      ),
      { maxLength: 8, size: "max" },
    )
    .map((parts) => Buffer.concat(parts));
const anyFrame = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .tuple(types("qshcijoenwprgxyktmdaz?\0"), bytes)
      .map(([type, data]) => shimFrame(type, data)),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(MAX_SHIM_FRAME - 1, MAX_SHIM_FRAME, 70_000)
      .map((size) => shimFrame("d", Buffer.alloc(size, "d"))),
  },
);

describe("fuzz: shim frames", function () {
  this.timeout(timeLimit());
  const directory = temporaryDirectory("suite");
  let shim: ShimParsers;
  before(() => {
    shim = new ShimParsers(directory.file("shim"));
  });
  after(() => shim.close());

  it("are cut alike by the shim and by the agent, however they arrive", async () => {
    await fuzz(fc.tuple(stream(anyFrame), fc.nat(255), fc.nat(1)), async ([all, size, hundred]) => {
      const piece = (size + 1) * (hundred === 1 ? 100 : 1);
      const reader = new ShimFrameReader();
      let line = "";
      let ending = "ok";
      for (let at = 0; at < all.length && ending === "ok"; at += piece) {
        const frames = reader.push(all.subarray(at, at + piece));
        if (frames === null) ending = "bad";
        for (const { type, data } of frames ?? []) {
          assert.ok(data.length < MAX_SHIM_FRAME);
          line += `${type.charCodeAt(0)}:${data.length}:${hashOf(data)} `;
        }
      }
      const theirs = await shim.parse("F", Buffer.concat([Buffer.of(size, hundred), all]));
      // Where a frame is too large the agent drops what came with it, as it hangs up; the shim has served that already.
      if (ending === "bad") assert.ok(theirs.startsWith(line) && theirs.endsWith("bad"), theirs);
      else assert.equal(theirs, line + ending);
    });
  });

  it("of a hostile shim are read as what the protocol says, or as nothing", async () => {
    const ticket = Buffer.alloc(TICKET_LENGTH, 7);
    const hello = Buffer.concat([
      ticket,
      Buffer.from([0, 24, 0, 80, 0, 0, 0, 0]),
      Buffer.from("xterm-256color"),
    ]);
    const request = Buffer.from([SHIM_PROTOCOL_VERSION, 1, 1, ...Buffer.from("ls -l")]);
    const list = Buffer.concat(
      ["--key=AAAA", "--user=x"].flatMap((one) => [uint32(one.length), Buffer.from(one)]),
    );
    const data = fc.oneof(
      bytes,
      fc
        .tuple(fc.constantFrom(hello, request, list, Buffer.of(1, 9)), edits)
        .map(([one, changes]) => mutate(one, changes)),
      fc.array(fc.tuple(awkwardLength, bytes), { maxLength: 4 }).map((parts) => Buffer.concat(parts.flat())),
      fc
        .tuple(fc.constantFrom("", "\u001b[2J", "\n", "ü", "x".repeat(129)), bytes)
        .map(([term, tail]) =>
          Buffer.concat([hello.subarray(0, TICKET_LENGTH + 8), Buffer.from(term), tail]),
        ),
    );
    await fuzz(data, (payload) => {
      const values = decodeArguments(payload);
      const total = (values ?? []).reduce((sum, one) => sum + 4 + Buffer.byteLength(one), 0);
      // Bytes that are no UTF-8 become one character of three bytes each.
      assert.ok(values === null || (total >= payload.length && total <= 3 * payload.length));
      const session = decodeSessionRequest(payload);
      assert.equal(session !== null, payload.length >= 3 && payload[0] === SHIM_PROTOCOL_VERSION);
      if (session?.command) assert.ok(session.command.equals(payload.subarray(3)));
      const said = decodeHello(payload);
      if (said !== null) {
        assert.match(said.ticket, /^[0-9a-f]{64}$/);
        assert.match(said.term, /^[A-Za-z0-9._+-]{0,128}$/);
        for (const size of [said.rows, said.columns]) assert.ok(size >= 0 && size <= 0xffff);
      }
      const status = decodeChildStatus(payload);
      assert.equal(status !== null, payload.length === 2 && (payload[0] ?? 2) <= 1);
    });
  });

  it("that say what to start are read by the shim as they say, or refused", async () => {
    const field = fc
      .tuple(
        types("tfaaaeeuq\0EDcNLP|"),
        fc.oneof(
          bytes,
          fc.constantFrom("/bin/true", "A=b", "", "", "=", "PATH=x").map((one) => Buffer.from(one)),
          fc.constantFrom(9, 24).map((size) => Buffer.alloc(size, "/")),
        ),
        fc.option(awkwardLength, { freq: 20 }),
      )
      .map(([kind, data, length]) => Buffer.concat([Buffer.from(kind), length ?? uint32(data.length), data]));
    const argument = bytes.map((one) => one.map((byte) => byte || 1));
    const rule = fc.record({ allowed: fc.bigInt(0n, 2n ** 64n - 1n), path: fc.constantFrom("/", "/usr") });
    const layer = fc.record({
      handledFs: fc.bigInt(0n, 2n ** 64n - 1n),
      handledNet: fc.bigInt(0n, 3n),
      scoped: fc.bigInt(0n, 3n),
      rules: fc.array(rule, { maxLength: 3 }),
    });
    const program = fc.record({
      file: fc.constant("/bin/sh"),
      arguments: fc.array(argument, { minLength: 1, maxLength: 10 }),
      directory: fc.constantFrom(null, "/srv"),
      set: fc.constantFrom({}, { A: "b", D: "" }),
      noNewPrivileges: fc.boolean(),
      layers: fc.array(layer, { maxLength: 2 }),
    });
    const instructions = fc.record({
      terminal: fc.constantFrom(null, "/dev/pts/1"),
      stages: fc.array(program, { minLength: 1, maxLength: 16 }),
      clear: fc.boolean(),
      set: fc.constant({ A: "b" }),
      unset: fc.constant<string[]>(["C"]),
      direct: fc.boolean(),
    });
    const good = fc.tuple(instructions, fc.option(edits)).map(([start, list]) => {
      const payload = encodeStart(start).subarray(5);
      return list === null ? payload : mutate(payload, list);
    });
    const any = fc.oneof(
      good,
      fc.array(field, { maxLength: 14, size: "max" }).map((fields) => Buffer.concat(fields)),
    );
    let taken = 0;
    await fuzz(any, async (payload) => {
      const line = await shim.parse("I", payload);
      const expected = instructionsIn(payload);
      if (expected === null) return assert.equal(line, "-1");
      taken++;
      assert.equal(line, expected);
    });
    assert.ok(taken > 100, `only ${taken} were taken`);
  });

  it("of a hostile recorder release nothing that the shim does not have", async () => {
    const count = fc.oneof(
      fc.nat(400),
      awkwardLength.map((four) => Buffer.from(four).readUInt32BE(0)),
    );
    const frame = fc.oneof(
      { weight: 5, arbitrary: fc.tuple(count, count).map(([o, e]) => shimFrame("a", uint32(o), uint32(e))) },
      { weight: 3, arbitrary: fc.tuple(types("dt"), bytes).map(([type, data]) => shimFrame(type, data)) },
      {
        weight: 1,
        arbitrary: fc.tuple(types("adtzxykm"), bytes).map(([type, data]) => shimFrame(type, data)),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.nat(255), fc.nat(255)).map((status) => shimFrame("z", Buffer.from(status))),
      },
    );
    await fuzz(fc.tuple(stream(frame), fc.boolean(), fc.nat(255), fc.nat(255)), async ([all, pty, o, e]) => {
      const line = await shim.parse("P", Buffer.concat([Buffer.of(pty ? 1 : 0, o, e), all]));
      assert.equal(line, pumpedBy(all, pty, o * 100, e * 100));
    });
  });

  const ticket = Buffer.alloc(TICKET_LENGTH, 1);
  const go = fc
    .uint8Array({ maxLength: 130, size: "max" })
    .map((path) => shimFrame("g", ticket, Buffer.from(path)));
  const refusal = fc
    .tuple(fc.nat(255), bytes)
    .map(([status, text]) => shimFrame("r", Buffer.of(status), text));
  const answers = stream(fc.oneof(go, refusal, anyFrame)).filter((all) => all.length < 100_000);

  it("of the agent's answer lead to the recorder that it names, or end the session", async () => {
    await fuzz(answers, async (all) => {
      const line = await shim.parse("A", all);
      const answer = answerIn(all);
      if (answer === null) return assert.match(line, /^-1 254 0 811c9dc5 shown 97 /);
      if ("text" in answer) {
        const shown = `shown ${answer.text.length} ${hashOf(answer.text)}`;
        return assert.equal(line, `-1 ${answer.status} 0 811c9dc5 ${shown}`);
      }
      // A path ends at its first NUL; one that is empty is nobody's.
      const path = answer.recorder.subarray(
        0,
        (answer.recorder.indexOf(0) + 1 || answer.recorder.length + 1) - 1,
      );
      assert.ok(line.startsWith(`-1 254 ${path.length} ${hashOf(path)} shown 97 `), line);
    });
  });

  it("of the agent's answer print principals for sshd only when they are a whole p frame", async () => {
    const principals = fc.oneof(answers, stream(bytes.map((text) => shimFrame("p", text))));
    await fuzz(principals, async (all) => {
      const frame = firstFrame(all);
      const printed = frame?.type === "p" ? frame.data : Buffer.alloc(0);
      assert.equal(await shim.parse("Q", all), `0  shown ${printed.length} ${hashOf(printed)}`);
    });
  });
});
