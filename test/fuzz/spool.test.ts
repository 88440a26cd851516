import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { lossOf, readOwner } from "@sallyport/agent/recordings/owner.ts";
import { type Block, MAX_BLOCK_RAW, NO_HASH, sealBlock } from "@sallyport/core/recording/block.ts";
import { recordingFrames, verifyRecording } from "@sallyport/core/recording/chain.ts";
import { exportRecording } from "@sallyport/core/recording/export.ts";
import { decodeFrames, encodeFrame, type Frame, FrameKind } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE, OWNER_FILE } from "@sallyport/uplink/spool/layout.ts";
import fc from "fast-check";
import { hostKeys, readBlocks, recover, startRecord } from "../unit/uplink/spool/spool.ts";
import { fuzz, RUNS, refusalOr, timeLimit } from "./support/fuzz.ts";
import { makeMemoryDirectory } from "./support/memory-directory.ts";
import { awkwardLength, edits, mutate } from "./support/mutate.ts";
import {
  ALTERNATE,
  FOREIGN,
  HEADER_FIELDS,
  type Left,
  place,
  SESSION,
  STATES,
} from "./support/spool-case.ts";

const MB = 1024 * 1024;
const state = fc.nat(STATES.length - 1);
const stateAt = (index: number): Left => {
  const found = STATES[index];
  if (found === undefined) throw new TypeError("no such state");
  return found;
};
const bytesOf = (blocks: readonly Block[]): Buffer => Buffer.concat(blocks.map(({ bytes }) => bytes));
const essence = ({ kind, time, data }: Frame): string =>
  `${kind} ${time} ${Buffer.from(data).toString("hex")}`;

/** One change to the file of blocks, as a whole or to one block in it. */
const blocksChange = fc.oneof(
  { weight: 3, arbitrary: edits.map((list) => (blocks: Block[]) => mutate(bytesOf(blocks), list)) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.nat(9),
        fc.nat(HEADER_FIELDS.length - 1),
        fc.oneof(awkwardLength, fc.uint8Array({ maxLength: 32 })),
      )
      .map(([which, field, value]) => (blocks: Block[]) => {
        const [offset, length] = HEADER_FIELDS[field] ?? [0, 4];
        const before = bytesOf(blocks.slice(0, which % Math.max(1, blocks.length))).length;
        const file = bytesOf(blocks);
        if (file.length > 0) file.set(value.subarray(-length), before + offset);
        return file;
      }),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.nat(9),
        fc.nat(9),
        fc.constantFrom("drop", "double", "move", "foreign", "other", "alternate", "empty"),
      )
      .map(([from, to, how]) => (blocks: Block[]) => {
        const list = [...blocks];
        const other = FOREIGN[to % FOREIGN.length];
        const twin = ALTERNATE[from % ALTERNATE.length];
        if (how === "empty") return Buffer.alloc(0);
        if (how === "other") return bytesOf(FOREIGN.slice(0, to));
        if (how === "alternate" && twin !== undefined) list[twin.sequence] = twin;
        if (how === "alternate") return bytesOf(list.filter((block) => block !== undefined));
        const [one] =
          how === "double"
            ? [list[from % Math.max(1, list.length)]]
            : list.splice(from % Math.max(1, list.length), 1);
        const insert = how === "foreign" ? other : how === "drop" ? undefined : one;
        if (insert !== undefined) list.splice(to % (list.length + 1), 0, insert);
        return bytesOf(list);
      }),
  },
);

/** Changes to a file of raw frames: of its bytes, or frames put into it that are well-formed. */
const frame = fc.record({
  kind: fc.integer({ min: 1, max: 255 }).map((kind) => (kind < 100 ? (kind % 8) + 1 : kind)),
  time: fc.oneof(fc.nat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER)),
  data: fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    fc.jsonValue({ maxDepth: 1 }).map((value) => Buffer.from(JSON.stringify(value))),
  ),
});
const rawChange = fc.oneof(
  edits.map((list) => (bytes: Uint8Array) => mutate(bytes, list)),
  fc.tuple(fc.nat(), frame).map(([at, added]) => (bytes: Uint8Array) => {
    const { frames } = decodeFrames(bytes, { partial: true });
    frames.splice(at % (frames.length + 1), 0, added);
    return Buffer.concat(frames.map(encodeFrame));
  }),
);

describe("fuzz: spool files", function () {
  this.timeout(timeLimit());
  let spool: string;
  before(() => {
    spool = makeMemoryDirectory();
  });
  after(() => rmSync(spool, { recursive: true }));

  const filesOf = ({ sealed, open }: Left): Map<string, Uint8Array> =>
    new Map<string, Uint8Array>([
      [BLOCKS_FILE, bytesOf(sealed)],
      [OWNER_FILE, Buffer.from('{"pid":1,"startTime":2}')],
      ...[...open].map(([number, bytes]) => [`${number}.open`, bytes] as const),
    ]);
  /** Recovers what is there. What it then holds without the end record, or the code with which that is not to be had. */
  const recovered = async (files: ReadonlyMap<string, Uint8Array>) => {
    const directory = place(spool, files);
    const result = await refusalOr(() => recover(spool, SESSION));
    if ("code" in result) {
      assert.match(result.code, /^recording-/);
      return { refused: result.code };
    }
    const bytes = readBlocks(directory);
    const verified = await refusalOr(() => verifyRecording(bytes, hostKeys.publicKey));
    if ("code" in verified) {
      assert.match(verified.code, /^recording-/);
      return { worthless: verified.code };
    }
    const frames = [...recordingFrames(bytes)];
    assert.equal(frames.pop()?.kind, FrameKind.end, "a recording that is whole has its end last");
    assert.equal(recover(spool, SESSION), null, "recovered twice, it is closed already");
    assert.ok(bytes.equals(readBlocks(directory)), "and is left alone");
    return { frames: frames.map(essence) };
  };

  it("are not all refused: what the cases are made from is recovered, whole", async () => {
    for (const left of STATES)
      assert.deepEqual((await recovered(filesOf(left))).frames, left.recorded.map(essence), left.name);
  });

  it("with changed blocks are recovered as they were recorded, or refused with a code", async () => {
    let whole = 0;
    await fuzz(
      fc.tuple(state, blocksChange),
      async ([index, change]) => {
        const left = stateAt(index);
        const files = filesOf(left).set(BLOCKS_FILE, change(left.sealed));
        const { frames } = await recovered(files);
        if (frames === undefined) return;
        const recorded = left.recorded.map(essence);
        if (frames.length === recorded.length) whole++;
        // With nothing but blocks a tail may be missing: nobody who has only the files can know of it.
        const expected = left.open.size === 0 ? recorded.slice(0, frames.length) : recorded;
        assert.deepEqual(frames, expected);
      },
      { runs: RUNS / 2 },
    );
    assert.ok(whole > RUNS / 100, `only ${whole} were recovered whole`);
  });

  it("with changed raw frames keep what is sealed, and can be verified when they are recovered", async () => {
    let kept = 0;
    await fuzz(
      fc.tuple(state, fc.nat(3), rawChange),
      async ([index, which, change]) => {
        const left = stateAt(index);
        const number = [...left.open.keys()][which % Math.max(1, left.open.size)];
        const files = filesOf(left);
        if (number !== undefined)
          files.set(`${number}.open`, change(left.open.get(number) ?? new Uint8Array()));
        const { frames, worthless } = await recovered(files);
        assert.equal(worthless, undefined, "recovery made a recording that nobody can verify");
        if (frames === undefined) return;
        kept++;
        const sealed = left.sealed.flatMap(framesIn);
        assert.deepEqual(frames.slice(0, sealed.length), sealed.map(essence));
      },
      { runs: RUNS / 2 },
    );
    assert.ok(kept > RUNS / 20, `only ${kept} were recovered`);
  });

  it("of any name and in any state end in a recording, or in a code", async () => {
    const name = fc.oneof(
      fc.constantFrom(
        "blocks",
        "owner",
        "0.open",
        "1.open",
        "2.open",
        "3.open",
        "4.open",
        "7.open",
        "999999999.open",
      ),
      fc.constantFrom("01.open", "-1.open", "1e3.open", "x.open", ".open", "9999999999.open"),
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(3000).map((length) => new Uint8Array(length)),
      fc.tuple(state, edits).map(([index, list]) => mutate(bytesOf(stateAt(index).sealed), list)),
      fc
        .tuple(state, fc.nat(2))
        .map(([index, which]) => [...stateAt(index).open.values()][which] ?? new Uint8Array()),
    );
    await fuzz(
      fc.tuple(state, fc.array(fc.tuple(name, bytes), { maxLength: 3 })),
      async ([index, changes]) => {
        const files = filesOf(stateAt(index));
        for (const [one, content] of changes) files.set(one, content);
        await recovered(files);
      },
      { runs: RUNS / 4 },
    );
  });

  it("that say who writes are read as a process or as nothing", async () => {
    mkdirSync(join(spool, SESSION), { recursive: true });
    const path = join(spool, SESSION, OWNER_FILE);
    const text = Buffer.from(JSON.stringify({ pid: process.pid, startTime: 5, boot: "x" }));
    await fuzz(
      fc.oneof(
        edits.map((list) => mutate(text, list)),
        fc.json().map((json) => Buffer.from(json)),
      ),
      (bytes) => {
        writeFileSync(path, bytes);
        const owner = readOwner(spool, SESSION);
        assert.ok(owner === null || Number.isSafeInteger(owner.pid));
        lossOf(owner);
      },
    );
  });

  it("that are whole recordings verify as they were, or not at all", async () => {
    const original = stateAt(6);
    const whole = bytesOf(original.sealed);
    const { headHash } = verifyRecording(whole, hostKeys.publicKey);
    await fuzz(blocksChange, async (change) => {
      const bytes = change(original.sealed);
      const result = await refusalOr(() => verifyRecording(bytes, hostKeys.publicKey));
      if ("code" in result) return assert.match(result.code, /^recording-/);
      if (bytes.equals(bytesOf(FOREIGN))) return; // whole as well, if not this one
      assert.ok(bytes.equals(whole) && result.value.headHash === headHash);
    });
  });

  it("that a host signed, whatever is in them, are verified and exported, or refused with a code", async () => {
    const start = { kind: FrameKind.start, time: 0, data: Buffer.from(JSON.stringify(startRecord(SESSION))) };
    const content = fc.oneof(
      fc.array(frame, { maxLength: 6 }).map((frames) => Buffer.concat([start, ...frames].map(encodeFrame))),
      fc.array(frame, { maxLength: 3 }).map((frames) => Buffer.concat(frames.map(encodeFrame))),
      fc
        .tuple(fc.array(frame, { maxLength: 3 }), edits)
        .map(([frames, list]) => mutate(Buffer.concat([start, ...frames].map(encodeFrame)), list)),
    );
    const header = fc.record({
      frames: fc.nat(8),
      length: fc.integer({ min: -3, max: 3 }),
      last: fc.boolean(),
    });
    let exported = 0;
    await fuzz(
      fc.tuple(content, header, edits, fc.nat(9)),
      async ([raw, { frames, last }, list, how]) => {
        const counted = await refusalOr(() => decodeFrames(raw).frames.length);
        const frameCount = "value" in counted && how > 1 ? counted.value : frames;
        const compressed = how === 0 ? mutate(zstdCompressSync(raw), list) : zstdCompressSync(raw);
        const block = sealBlock(
          { session: SESSION, sequence: 0, last, frameCount, raw, compressed, previousHash: NO_HASH },
          hostKeys.privateKey,
        );
        const verified = await refusalOr(() =>
          verifyRecording(block.bytes, hostKeys.publicKey, { open: true }),
        );
        if ("code" in verified) return assert.match(verified.code, /^recording-/);
        for (const format of ["asciicast-v2", "asciicast-v3", "text", "raw"] as const) {
          const made = await refusalOr(() =>
            Buffer.concat([...exportRecording(recordingFrames(block.bytes), format)]),
          );
          if ("code" in made) assert.match(made.code, /^recording-/);
          else exported++;
        }
      },
      { runs: RUNS / 4 },
    );
    assert.ok(exported > RUNS / 200, `only ${exported} exports`);
  });

  describe("that want too much memory", () => {
    /** The most memory that the process held since {@link forgetPeak}, in bytes; see proc_pid_status(5). */
    const peak = () =>
      Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
    const forgetPeak = () => writeFileSync("/proc/self/clear_refs", "5");
    const bounded = async (work: () => unknown) => {
      forgetPeak();
      const before = peak();
      const result = await refusalOr(work);
      if ("code" in result) assert.match(result.code, /^recording-/);
      const grown = peak() - before;
      assert.ok(grown < 100 * MB, `grew by ${Math.round(grown / MB)} MB`);
    };

    it("a block of zeros that compress a thousandfold", async () => {
      const compressed = zstdCompressSync(Buffer.alloc(1024 * MB));
      assert.ok(compressed.length < MAX_BLOCK_RAW);
      const block = sealBlock(
        {
          session: SESSION,
          sequence: 0,
          last: true,
          frameCount: 1,
          raw: Buffer.alloc(100),
          compressed,
          previousHash: NO_HASH,
        },
        hostKeys.privateKey,
      );
      await bounded(() => verifyRecording(block.bytes, hostKeys.publicKey));
      place(spool, new Map([[BLOCKS_FILE, block.bytes]]));
      await bounded(() => recover(spool, SESSION));
    });

    for (const name of [BLOCKS_FILE, OWNER_FILE, "3.open"]) {
      for (const size of [700 * MB, 5000 * MB]) {
        it(`${name} of ${size / MB} MB`, async () => {
          const directory = place(spool, filesOf(stateAt(1)));
          truncateSync(join(directory, name), size);
          await bounded(() => {
            lossOf(readOwner(spool, SESSION));
            return recover(spool, SESSION);
          });
        });
      }
    }

    it("raw frames without end, all of them empty", async () => {
      const left = stateAt(1);
      const many = Buffer.alloc(30 * MB, Buffer.of(FrameKind.output, 1, 0));
      place(spool, filesOf(left).set("3.open", Buffer.concat([left.open.get(3) ?? new Uint8Array(), many])));
      await bounded(() => recover(spool, SESSION));
    });
  });
});

function framesIn(block: Block): Frame[] {
  return [...recordingFrames(block.bytes)].filter(({ kind }) => kind !== FrameKind.end);
}
