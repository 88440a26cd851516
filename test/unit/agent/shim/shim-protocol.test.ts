import assert from "node:assert/strict";
import {
  decodeArguments,
  decodeChildStatus,
  decodeHello,
  decodeSessionRequest,
  decodeStarted,
  MAX_SHIM_FRAME,
  ShimFrameReader,
  shimFrame,
  TICKET_LENGTH,
  writeShimFrameHead,
} from "@sallyport/agent/shim/shim-protocol.ts";
import type { Stage } from "@sallyport/agent/shim/start-instructions.ts";
import fc from "fast-check";
import { stage, starting } from "../support/shim-run.ts";

const bytes = fc.uint8Array({ maxLength: 200, size: "max" }).map((array) => Buffer.from(array));
const frames = fc.array(fc.record({ type: fc.constantFrom(..."qsprghcijoenwxdtaz"), data: bytes }), {
  maxLength: 20,
  size: "max",
});
const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 40 }));

/** All that comes out of a reader for a stream cut into pieces; null at the place where it gives up. */
function readIn(stream: Buffer, sizes: Iterator<number>): ({ type: string; data: string } | null)[] {
  const reader = new ShimFrameReader();
  const found: ({ type: string; data: string } | null)[] = [];
  for (let at = 0; at < stream.length; ) {
    const size = sizes.next().value as number;
    const got = reader.push(stream.subarray(at, at + size));
    if (got === null) return [...found, null];
    found.push(...got.map(({ type, data }) => ({ type, data: data.toString("hex") })));
    at += size;
  }
  return found;
}

describe("the shim's frames", () => {
  it("come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(frames, cuts, (list, sizes) => {
        const stream = Buffer.concat(list.map(({ type, data }) => shimFrame(type, data)));
        const expected = list.map(({ type, data }) => ({ type, data: data.toString("hex") }));
        assert.deepEqual(readIn(stream, sizes), expected);
      }),
    );
  });

  it("of random bytes are the same however the stream is cut", () => {
    // Mostly short lengths, so that there are frames to find.
    const piece = fc.oneof(
      bytes,
      fc.integer({ min: 0, max: 30 }).map((length) => Buffer.from([0, 0, 0, length])),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30, size: "max" }), cuts, cuts, (pieces, one, other) => {
        const stream = Buffer.concat(pieces);
        const [a, b] = [readIn(stream, one), readIn(stream, other)];
        // Where a reader gives up it may hold back whole frames of the same piece; what it gave is the same.
        const length = Math.min(a.length, b.length) - (a.includes(null) || b.includes(null) ? 1 : 0);
        assert.deepEqual(a.slice(0, length), b.slice(0, length));
        assert.equal(a.includes(null), b.includes(null));
      }),
    );
  });

  for (const [length, taken] of [
    [0, false],
    [1, true],
    [MAX_SHIM_FRAME, true],
    [MAX_SHIM_FRAME + 1, false],
    [0x7fffffff, false],
    [0xffffffff, false],
  ] as const) {
    it(`of length ${length} are ${taken ? "taken" : "refused before they are read"}`, () => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(length);
      const reader = new ShimFrameReader();
      const first = reader.push(head);
      if (taken) {
        const rest = length === 1 ? [] : reader.push(Buffer.alloc(length - 1));
        assert.equal([...(first ?? []), ...(rest ?? [])].length, 1);
      } else assert.equal(first, null);
    });
  }

  it("have the same head in one piece and apart", () => {
    const payload = Buffer.from("abc");
    const head = Buffer.alloc(5);
    writeShimFrameHead(head, "d", payload.length);
    assert.deepEqual(shimFrame("d", payload), Buffer.concat([head, payload]));
    assert.deepEqual(shimFrame("z", Buffer.of(1), Buffer.of(9)).toString("hex"), "000000037a0109");
  });
});

describe("what the shim says", () => {
  it("as arguments comes back, and nothing malformed is half taken", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.nat(3), (values, cut) => {
        const parts = values.map((value) => Buffer.from(value));
        const data = Buffer.concat(parts.flatMap((part) => [uint32(part.length), part]));
        assert.deepEqual(decodeArguments(data), values);
        if (data.length > cut)
          assert.equal(decodeArguments(Buffer.concat([data, Buffer.alloc(cut + 1, 1)])), null);
      }),
    );
    assert.equal(decodeArguments(Buffer.from("ffffffff61", "hex")), null);
  });

  const ticket = Buffer.alloc(TICKET_LENGTH, 0xab);
  const size = Buffer.from("0018005000000000", "hex");
  const hello = (term: string | Buffer) => decodeHello(Buffer.concat([ticket, size, Buffer.from(term)]));

  it("as hello has ticket, size and terminal", () => {
    assert.deepEqual(hello("xterm-256color"), {
      ticket: "ab".repeat(TICKET_LENGTH),
      rows: 24,
      columns: 80,
      term: "xterm-256color",
    });
  });

  for (const term of ["x y", "x\u001b[2J", "x\0", "é", '"', Buffer.from([0xff])]) {
    it(`as TERM ${JSON.stringify(String(term))} counts as none`, () => assert.equal(hello(term)?.term, ""));
  }

  it("as hello is refused when too short or too long", () => {
    assert.equal(decodeHello(ticket), null);
    assert.notEqual(hello("x".repeat(128)), null);
    assert.equal(hello("x".repeat(129)), null);
  });

  it("as session is refused in another version", () => {
    assert.deepEqual(decodeSessionRequest(Buffer.from([1, 1, 0])), { terminal: true, command: null });
    const command = Buffer.from([1, 0, 1, 0xff, 0x0a]);
    assert.deepEqual(decodeSessionRequest(command), { terminal: false, command: Buffer.from([0xff, 0x0a]) });
    for (const bad of [[], [1, 1], [2, 1, 0], [0, 1, 0]])
      assert.equal(decodeSessionRequest(Buffer.from(bad)), null);
  });

  it("as a child's end is a status or a signal", () => {
    assert.deepEqual(decodeChildStatus(Buffer.of(0, 7)), { signal: false, value: 7 });
    assert.deepEqual(decodeChildStatus(Buffer.of(1, 9)), { signal: true, value: 9 });
    for (const bad of [[], [0], [2, 0], [0, 0, 0]]) assert.equal(decodeChildStatus(Buffer.from(bad)), null);
  });

  it("never makes a decoder throw", () => {
    const decoders = [decodeArguments, decodeSessionRequest, decodeHello, decodeChildStatus];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), (array) => {
        for (const decode of decoders) decode(Buffer.from(array));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what the shim is told to start", () => {
  const field = (kind: string, value: string | Buffer) =>
    Buffer.concat([Buffer.from(kind), uint32(value.length), Buffer.from(value as string)]);

  it("is of a plain shell what every version of the shim takes", () => {
    const shell = stage("/bin/sh", "sh", "-c", Buffer.from([0xff]));
    const changes = { set: { SHELL: "/bin/sh" }, unset: ["SSH_ORIGINAL_COMMAND"], terminal: "/dev/pts/7" };
    const [frame] = new ShimFrameReader().push(starting(shell, changes)) ?? [];
    assert.equal(frame?.type, "x");
    const expected = [
      field("t", "/dev/pts/7"),
      field("u", "SSH_ORIGINAL_COMMAND"),
      field("e", "SHELL=/bin/sh"),
      field("f", "/bin/sh"),
      ...["sh", "-c", Buffer.from([0xff])].map((one) => field("a", one)),
    ];
    assert.deepEqual(frame?.data, Buffer.concat(expected));
  });

  it("has for each program of a pipeline its directory, its privileges and its layers", () => {
    const layer = {
      handledFs: 0x1_0000_0001n,
      handledNet: 2n,
      scoped: 3n,
      rules: [
        { allowed: 1n, path: "/é" },
        { allowed: 2n, path: "/usr/lib/a" },
        { allowed: 2n, path: "/usr/lib/b" },
      ],
    };
    const first = { ...stage("/bin/a", "a"), directory: "/srv", noNewPrivileges: true, layers: [layer] };
    const [frame] =
      new ShimFrameReader().push(starting([first, stage("/bin/b", "b")], { clear: true, direct: true })) ??
      [];
    const numbers = (...values: string[]) =>
      Buffer.from(values.map((one) => one.padStart(16, "0")).join(""), "hex");
    const expected = [
      field("E", ""),
      field("D", ""),
      field("f", "/bin/a"),
      field("a", "a"),
      field("c", "/srv"),
      field("N", ""),
      field("L", numbers("100000001", "2", "3")),
      field("P", Buffer.concat([numbers("1"), Buffer.from("/é")])),
      field("P", Buffer.concat([numbers("2"), Buffer.from("/usr/lib\0a\0b")])),
      field("|", ""),
      field("f", "/bin/b"),
      field("a", "b"),
    ];
    assert.deepEqual(frame?.data, Buffer.concat(expected));
  });

  it("is refused where the shim would not take it", () => {
    const program = stage("/bin/a", "a");
    assert.throws(() => starting([]), RangeError);
    assert.throws(() => starting(Array<Stage>(17).fill(program)), RangeError);
    assert.throws(() => starting(stage("/bin/a", ...Array<string>(1025).fill("a"))), RangeError);
    assert.throws(() => starting(stage("/bin/a", "a".repeat(MAX_SHIM_FRAME))), RangeError);
    assert.ok(starting(Array<Stage>(16).fill(stage("/bin/a", ...Array<string>(1024).fill("a")))));
  });

  it("is started, and with direct descriptors these are named", () => {
    assert.deepEqual(decodeStarted(Buffer.alloc(0)), { direct: null });
    const [pid, input, output] = [70_000, 5, 6];
    const bytes = Buffer.concat([pid, input, output].map(uint32));
    assert.deepEqual(decodeStarted(bytes), { direct: { pid, input, output } });
    for (const bad of [1, 11, 13]) assert.equal(decodeStarted(Buffer.alloc(bad)), null);
  });
});

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
