import assert from "node:assert/strict";
import { TerminalFilter } from "@sallyport/client/playback/terminal-filter.ts";
import fc from "fast-check";

const ESC = "\u001b";

function filtered(text: string | Uint8Array, pieceLength = Number.POSITIVE_INFINITY): string {
  const bytes = Buffer.from(text);
  const filter = new TerminalFilter();
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceLength)
    pieces.push(filter.feed(bytes.subarray(at, at + pieceLength)));
  return Buffer.concat([...pieces, filter.end()]).toString("latin1");
}

/** Name, what is recorded, what is left of it between two harmless letters. */
const REMOVED: [string, string, string?][] = [
  ["OSC 52 sets the clipboard", `${ESC}]52;c;aGk=\u0007`],
  ["OSC 52 ended by ST", `${ESC}]52;c;?${ESC}\\`],
  ["OSC 52 written 052", `${ESC}]052;c;aGk=\u0007`],
  ["OSC 11 asks for the background", `${ESC}]11;?\u0007`],
  ["OSC 4 asks for one colour among settings", `${ESC}]4;1;rgb:0/0/0;2;?\u0007`],
  ["OSC 1337 is iTerm2's own", `${ESC}]1337;File=name=eA==:AAAA\u0007`],
  ["OSC 9 notifies", `${ESC}]9;hello\u0007`],
  ["OSC without a number", `${ESC}]l title\u0007`],
  ["device status", `${ESC}[6n`],
  ["private device status", `${ESC}[?6n`],
  ["device attributes", `${ESC}[c`],
  ["secondary device attributes", `${ESC}[>c`],
  ["tertiary device attributes", `${ESC}[=c`],
  ["DECID", `${ESC}Z`],
  ["title report", `${ESC}[21t`],
  ["window resize", `${ESC}[8;50;50t`],
  ["terminal parameters", `${ESC}[x`],
  ["mode query", `${ESC}[?2026$p`],
  ["checksum of a rectangle", `${ESC}[1;1;1;1;1;1*y`],
  ["terminal version", `${ESC}[>q`],
  ["keyboard query", `${ESC}[?u`],
  ["keyboard mode", `${ESC}[>1u`],
  ["modifier query", `${ESC}[?4m`],
  ["printing", `${ESC}[5i`],
  ["mouse", `${ESC}[?1000h`],
  ["mouse among others", `${ESC}[?25;1006;1049h`, `${ESC}[?25;1049h`],
  ["focus reports", `${ESC}[?1004h`],
  ["DCS request", `${ESC}P$qm${ESC}\\`],
  ["DCS through tmux", `${ESC}Ptmux;${ESC}${ESC}]52;c;aGk=\u0007${ESC}\\`, `${ESC}\\`],
  ["APC", `${ESC}_Gi=1,a=q;AAAA${ESC}\\`],
  ["PM and SOS", `${ESC}^x${ESC}\\${ESC}Xx${ESC}\\`],
  ["answerback", "\u0005"],
  ["C1 CSI in UTF-8", "\u009b6n"],
  ["C1 OSC in UTF-8", "\u009d52;c;aGk=\u009c"],
  ["a control character inside is obeyed", `${ESC}[6\nn`, "\n"],
  ["a broken-off sequence", `${ESC}[12${ESC}[6n`],
  ["an ESC before a C1 CSI", `${ESC}\u009b6n`],
  ["a clipboard inside a title", `${ESC}]2;x${ESC}]52;c;aGk=\u0007`],
  ["a title that is too long", `${ESC}]2;${"x".repeat(9000)}\u0007`],
];

const KEPT: [string, string][] = [
  ["text and line ends", "hello, wörld ✜ 🚪\r\n\t"],
  ["colours", `${ESC}[1;31mred${ESC}[0m${ESC}[38;2;1;2;3m`],
  ["cursor", `${ESC}[2;5H${ESC}[K${ESC}[2J${ESC}7${ESC}8${ESC}[s${ESC}[u`],
  ["bracketed paste, as bash has at every prompt", `${ESC}[?2004h$ ${ESC}[?2004l`],
  ["the alternate screen", `${ESC}[?1049h${ESC}[?25l${ESC}[?1049l`],
  ["titles", `${ESC}]0;alice@web-1: ~\u0007${ESC}]2;wörld ✜${ESC}\\`],
  ["hyperlinks", `${ESC}]8;;https://example.com/?q=1\u0007link${ESC}]8;;\u0007`],
  ["a colour that is set", `${ESC}]11;rgb:00/00/00\u0007`],
  ["character sets", `${ESC}(0lqqk${ESC}(B${ESC})0`],
  ["cursor shape and soft reset", `${ESC}[2 q${ESC}[!p`],
  ["letters of C2", "§±¿ © ½"],
];

describe("TerminalFilter", () => {
  for (const [name, text, left = ""] of REMOVED) {
    it(`takes out: ${name}`, () => {
      const expected = Buffer.from(`A${left}B`).toString("latin1");
      assert.equal(filtered(`A${text}B`), expected);
      assert.equal(filtered(`A${text}B`, 1), expected);
    });
  }

  for (const [name, text] of KEPT) {
    it(`keeps: ${name}`, () => {
      const expected = Buffer.from(text).toString("latin1");
      assert.equal(filtered(text), expected);
      assert.equal(filtered(text, 1), expected);
    });
  }

  it("takes out C1 controls of one byte, too", () => {
    assert.equal(filtered(Uint8Array.of(0x41, 0x9b, 0x36, 0x6e, 0x42)), "AB");
  });

  it("keeps what is no control, byte for byte, also where it is not UTF-8", () => {
    const byte = fc
      .integer({ min: 0, max: 255 })
      .filter((each) => each !== 0x1b && each !== 0x05 && (each < 0x7f || each > 0xc2));
    fc.assert(
      fc.property(
        fc.uint8Array().chain(() => fc.array(byte)),
        fc.integer({ min: 1, max: 9 }),
        (bytes, length) => {
          assert.equal(filtered(Uint8Array.from(bytes), length), Buffer.from(bytes).toString("latin1"));
        },
      ),
    );
  });

  it("gives the same however the bytes are cut, and is done with its own output", () => {
    const piece = fc.constantFrom(
      ...REMOVED.map(([, text]) => text),
      ...KEPT.map(([, text]) => text),
      ESC,
      "[",
      "]",
      "52;",
      "n",
      "\u009b",
      "é",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 7 }), (pieces, length) => {
        const whole = filtered(pieces.join(""));
        assert.equal(filtered(pieces.join(""), length), whole);
        assert.equal(filtered(Buffer.from(whole, "latin1")), whole);
      }),
      { numRuns: 500 },
    );
  });
});
