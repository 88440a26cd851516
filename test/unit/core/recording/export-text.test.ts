import assert from "node:assert/strict";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import fc from "fast-check";
import { exported } from "./exported.ts";
import { endFrame, frame, output, startFrame } from "./recordings.ts";

/** The text export of these pieces of output. */
function text(...pieces: (string | Uint8Array)[]): string {
  return exported(
    [startFrame(), ...pieces.map((piece, index) => output(index, piece)), endFrame(99)],
    "text",
  ).toString();
}

const ESC = "\u001b";

describe("a text export", () => {
  const rows: [what: string, shown: string, plain: string][] = [
    ["colours", `${ESC}[1;31mred${ESC}[0m!`, "red!"],
    ["cursor moves and modes", `${ESC}[?2004h${ESC}[10;20Ha${ESC}[2K${ESC}[?25lb`, "ab"],
    ["a CSI with intermediates", `a${ESC}[1 qb${ESC}[!pc`, "abc"],
    ["a title ended by BEL", `${ESC}]0;title\u0007text`, "text"],
    ["a title ended by ST", `${ESC}]0;title${ESC}\\text`, "text"],
    ["a link", `${ESC}]8;;https://x.example${ESC}\\link${ESC}]8;;${ESC}\\`, "link"],
    [
      "DCS, PM, APC and SOS",
      `a${ESC}Pq#0${ESC}\\b${ESC}^pm${ESC}\\c${ESC}_apc${ESC}\\d${ESC}Xsos${ESC}\\e`,
      "abcde",
    ],
    ["character sets", `${ESC}(0lqk${ESC}(B`, "lqk"],
    ["short escapes", `${ESC}7a${ESC}8b${ESC}=c${ESC}>d${ESC}Me${ESC}cf`, "abcdef"],
    ["C1 controls", "a\u0085b\u009bc", "abc"],
    ["line ends", "a\r\nb\r\r\nc\nd", "a\nb\nc\nd"],
    ["tabs stay, other controls go", "a\tb\u0007c\bd\0e\u007f", "a\tbcde"],
    ["an escape that another one interrupts", `${ESC}[3${ESC}[0mx`, "[3x"],
    ["a title that another escape interrupts", `${ESC}]0;ti${ESC}[0mx`, "]0;tix"],
    ["nothing", "", ""],
    ["letters of all kinds", "zażółć 李 🙂", "zażółć 李 🙂"],
  ];
  for (const [what, shown, plain] of rows) {
    it(`is without ${what}`, () => assert.equal(text(shown), plain));

    it(`is the same wherever frames cut: ${what}`, () => {
      const bytes = Buffer.from(shown);
      assert.equal(text(...[...bytes].map((byte) => Buffer.of(byte))), plain);
      for (let cut = 0; cut <= bytes.length; cut++) {
        assert.equal(text(bytes.subarray(0, cut), bytes.subarray(cut)), plain, `cut at ${cut}`);
      }
    });
  }

  it("does not mix up streams whose characters are cut alike", () => {
    const smile = Buffer.from("🙂");
    const [a, b] = [smile.subarray(0, 2), smile.subarray(2)];
    const frames = [output(1, a), frame(FrameKind.error, 2, a), output(3, b), frame(FrameKind.error, 4, b)];
    assert.equal(exported([startFrame(), ...frames], "text").toString(), "🙂🙂");
  });

  it("does not let an escape of one stream swallow another stream's text", () => {
    const frames = [
      output(1, `${ESC}]0;`),
      frame(FrameKind.message, 2, "shown\n"),
      output(3, "title\u0007!"),
    ];
    assert.equal(exported([startFrame(), ...frames], "text").toString(), "shown\n!");
  });

  it("rather shows too much than hides: an escape without end hides nothing for long", () => {
    const hidden = "rm -rf /\n".repeat(1000);
    const shown = text(`${ESC}]0;`, ...(hidden.match(/.{1,100}\n?/gs) ?? []), "visible");
    assert.match(shown, /visible$/);
    assert.ok(shown.length >= hidden.length);
    assert.equal(text(`a${ESC}]0;the end`), "a]0;the end");
    assert.equal(text(`a${ESC}[12`), "a[12");
    assert.equal(text(`a${ESC}`), "a");
  });

  it("takes time in proportion to its length, whatever is in it", () => {
    for (const piece of [ESC, `${ESC}[`, `${ESC}]`, `${ESC}]0;${"x".repeat(100)}`, "[", "\r", `${ESC} `]) {
      const once = Buffer.from(piece.repeat(Math.ceil(40_000 / piece.length)));
      const began = performance.now();
      text(...Array.from({ length: 10 }, () => once));
      assert.ok(performance.now() - began < 5000, JSON.stringify(piece));
    }
  });

  it("has no control characters but tab and line end, and is the same wherever frames cut", () => {
    const piece = fc.constantFrom(
      ESC,
      "[",
      "]",
      "0",
      ";",
      "m",
      "\u0007",
      "\\",
      "P",
      " ",
      "x",
      "\r",
      "\n",
      "\u009b",
      "ż",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), fc.nat(60), (pieces, cut) => {
        const whole = text(pieces.join(""));
        assert.doesNotMatch(whole, /(?![\t\n])\p{Cc}/u);
        assert.equal(text(pieces.slice(0, cut).join(""), pieces.slice(cut).join("")), whole);
        assert.equal(text(...pieces), whole);
      }),
      { numRuns: 1000 },
    );
  });
});
