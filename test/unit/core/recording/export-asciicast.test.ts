import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXPORT_FORMATS } from "@sallyport/core/recording/export.ts";
import { type Frame, FrameKind } from "@sallyport/core/recording/frame.ts";
import { castLines, exported } from "./exported.ts";
import { CONTENTS, endFrame, frame, output, START, startFrame } from "./recordings.ts";

const resize = (time: number, ...data: number[]): Frame => frame(FrameKind.resize, time, Buffer.from(data));
const smile = Buffer.from("🙂");

/** One recording with a bit of everything. */
const FRAMES: Frame[] = [
  startFrame(),
  output(1_000_000, "$ "),
  frame(FrameKind.input, 1_500_000, "ls\r"),
  frame(FrameKind.inputWithheld, 1_600_000, Buffer.of(8)),
  frame(FrameKind.error, 2_000_000, "ls: no\r\n"),
  resize(2_500_000, 0x84, 0x01, 43),
  frame(99, 2_600_000, "of a later version"),
  frame(FrameKind.message, 3_000_001, "sallyport: 5 min left\r\n"),
  endFrame(4_000_000),
];

describe("an asciicast", () => {
  const header = { timestamp: 1_760_436_000, title: "Alice as deploy on db-1 (acme-db)" };

  it("of version 2 has absolute times, and nothing that v2 does not know", () => {
    assert.deepEqual(castLines(FRAMES, "asciicast-v2"), [
      { version: 2, width: 100, height: 30, ...header, env: { TERM: "xterm-256color" } },
      [1, "o", "$ "],
      [1.5, "i", "ls\r"],
      [2, "o", "ls: no\r\n"],
      [2.5, "r", "132x43"],
      [3.000001, "o", "sallyport: 5 min left\r\n"],
    ]);
  });

  it("of version 3 has times since the event before, and the exit status at its end", () => {
    assert.deepEqual(castLines(FRAMES, "asciicast-v3"), [
      { version: 3, term: { cols: 100, rows: 30, type: "xterm-256color" }, ...header },
      [1, "o", "$ "],
      [0.5, "i", "ls\r"],
      [0.5, "o", "ls: no\r\n"],
      [0.5, "r", "132x43"],
      [0.500001, "o", "sallyport: 5 min left\r\n"],
      [0.999999, "x", "3"],
    ]);
  });

  it("of version 3 adds up to the same times, to the microsecond", () => {
    const frames = [
      startFrame(),
      ...Array.from({ length: 1000 }, (_, i) => output(i * 333_333 + 7, "x")),
      endFrame(4e8),
    ];
    const times = castLines(frames, "asciicast-v3").slice(1) as [number, string, string][];
    const sum = times.reduce((total, [interval]) => total + Math.round(interval * 1e6), 0);
    assert.equal(sum, 4e8);
  });

  it("of a command has the command, and a terminal's usual size", () => {
    const start = startFrame({ kind: "command", command: "uname -a", terminal: null });
    assert.deepEqual(castLines([start], "asciicast-v2"), [
      { version: 2, width: 80, height: 24, ...header, command: "uname -a", env: { TERM: "dumb" } },
    ]);
    assert.deepEqual(castLines([start], "asciicast-v3"), [
      { version: 3, term: { cols: 80, rows: 24, type: "dumb" }, ...header, command: "uname -a" },
    ]);
  });

  it("of a terminal without a size has the usual one: no player can show 0 columns", () => {
    const start = startFrame({ terminal: { term: "xterm", columns: 0, rows: 0 } });
    for (const [format, text] of [
      ["asciicast-v2", '"width":80,"height":24'],
      ["asciicast-v3", '"cols":80,"rows":24'],
    ] as const) {
      assert.ok(exported([start], format).includes(text));
    }
  });

  it("has no exit status where a signal or something else ended it", () => {
    const lines = castLines(
      [startFrame(), endFrame(1, { exitStatus: null, signal: "SIGKILL" })],
      "asciicast-v3",
    );
    assert.equal(lines.length, 1);
  });

  describe("of text that frames cut", () => {
    const events = (...frames: Frame[]) => castLines([startFrame(), ...frames], "asciicast-v2").slice(1);

    it("has each character whole, when its last byte came", () => {
      const pieces = [...smile].map((byte, index) => output(index * 1e6, Buffer.of(byte)));
      assert.deepEqual(events(...pieces, endFrame(9e6)), [[3, "o", "🙂"]]);
    });

    it("does not mix up streams that are cut alike", () => {
      const [a, b] = [smile.subarray(0, 2), smile.subarray(2)];
      const frames = [output(1, a), frame(FrameKind.error, 2, a), output(3, b), frame(FrameKind.error, 4, b)];
      assert.deepEqual(events(...frames), [
        [0.000003, "o", "🙂"],
        [0.000004, "o", "🙂"],
      ]);
    });

    it("shows what never became a character, at the end, ended or not", () => {
      const cut = output(1e6, smile.subarray(0, 3));
      assert.deepEqual(events(cut, endFrame(2e6)), [[2, "o", "\ufffd"]]);
      assert.deepEqual(events(cut), [[1, "o", "\ufffd"]]);
    });

    it("has U+FFFD for what is no UTF-8", () => {
      assert.deepEqual(events(output(1e6, Buffer.of(0x61, 0xff, 0x62))), [[1, "o", "a\ufffdb"]]);
    });
  });

  it("keeps control characters inside JSON, so that reading its lines is safe", () => {
    const evil = "\u001b]0;x\u0007\u2028\n";
    const start = startFrame({ member: { ...START.member, name: evil } });
    for (const format of ["asciicast-v2", "asciicast-v3"] as const) {
      const lines = castLines([start, output(1, evil)], format);
      assert.equal(lines.length, 2);
      assert.doesNotMatch(exported([start, output(1, evil)], format).toString(), /(?!\n)\p{Cc}/u);
    }
  });

  const damaged: [what: string, frames: Frame[]][] = [
    ["nothing", []],
    ["no start record", [output(1, "x")]],
    ["a start record that is no JSON", [frame(FrameKind.start, 0, "{")]],
    ["a start record of another shape", [frame(FrameKind.start, 0, "{}")]],
    ["an end record of another shape", [startFrame(), frame(FrameKind.end, 1, "{}")]],
    ["a resize that is cut off", [startFrame(), resize(1, 0x84)]],
  ];
  for (const [what, frames] of damaged) {
    it(`is refused of a recording with ${what}`, () => {
      for (const format of EXPORT_FORMATS.filter((one) => one.startsWith("asciicast"))) {
        assert.throws(() => exported(frames, format), {
          name: "SallyportError",
          code: "recording-malformed",
        });
      }
    });
  }

  it("is shown by Debian's asciinema as it was", () => {
    const frames = [...CONTENTS.flat().slice(0, -1), output(7000, "zażółć 🙂\u001b[0m\r\n"), endFrame(8000)];
    const directory = mkdtempSync(join(tmpdir(), "asciinema-"));
    try {
      writeFileSync(join(directory, "cast"), exported(frames, "asciicast-v2"));
      // It insists on a terminal, which script(1) gives it; what it writes goes to a file, past the terminal.
      const result = spawnSync("script", ["-qec", "/usr/bin/asciinema cat cast >shown", "/dev/null"], {
        cwd: directory,
        env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8", HOME: directory, SHELL: "/bin/sh" },
        encoding: "utf8",
      });
      assert.equal(result.status, 0, `${result.error ?? ""}${result.stdout}${result.stderr}`);
      assert.deepEqual(readFileSync(join(directory, "shown")), exported(frames, "raw"));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
