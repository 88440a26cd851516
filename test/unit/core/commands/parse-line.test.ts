import assert from "node:assert/strict";
import { parseLine } from "@sallyport/core/commands/parse-line.ts";

/** The words of a line of one command, or the message. */
function words(line: string): string[] | string {
  const parsed = parseLine(line, { pipes: false });
  if (!parsed.ok) return parsed.message;
  assert.ok(parsed.stages.length <= 1);
  return (parsed.stages[0] ?? []).map(({ text }) => text);
}

describe("a line parsed to words", () => {
  const accepted: [line: string, words: string[]][] = [
    ["", []],
    [" \t ", []],
    ["ls", ["ls"]],
    ["  ls   -l\t/tmp ", ["ls", "-l", "/tmp"]],
    ["echo 'a  b'", ["echo", "a  b"]],
    ["echo '$HOME `id` \\ \" ;|&'", ["echo", '$HOME `id` \\ " ;|&']],
    ["echo \"a 'b' ;|&<>*?[#~\"", ["echo", "a 'b' ;|&<>*?[#~"]],
    ['echo "\\$ \\` \\" \\\\ \\a"', ["echo", '$ ` " \\ \\a']],
    ["echo a\\ b \\; \\\\ \\' \\\"", ["echo", "a b", ";", "\\", "'", '"']],
    ["echo '' \"\" ''\"\"", ["echo", "", "", ""]],
    ["e'ch'\"o\" a'b'\"c\"\\d", ["echo", "abcd"]],
    ["echo a#b a~b a=b ] ^ % @ , : +", ["echo", "a#b", "a~b", "a=b", "]", "^", "%", "@", ",", ":", "+"]],
    ["echo ''#a", ["echo", "#a"]],
    ["echo if then A=1", ["echo", "if", "then", "A=1"]],
    ["'if' x", ["if", "x"]],
    ["'A'=1", ["A=1"]],
    ["A-B=1", ["A-B=1"]],
    ["echo Łódź 🙂 \\🙂 a\u00a0b", ["echo", "Łódź", "🙂", "🙂", "a\u00a0b"]],
    ["echo '|' \"|\" \\|", ["echo", "|", "|", "|"]],
    ["echo '!' '{a,b}'", ["echo", "!", "{a,b}"]],
  ];
  for (const [line, expected] of accepted)
    it(`is taken: ${JSON.stringify(line)}`, () => assert.deepEqual(words(line), expected));

  const refused: [line: string, offset: number, message: RegExp][] = [
    ["ls && id", 3, /^A `&&` joins two commands; here each command is given alone\.$/],
    ["ls || id", 3, /`\|\|`/],
    ["ls|id", 2, /`\|` .*prompt/],
    ["ls ; id", 3, /`;`/],
    ["ls;id", 2, /`;`/],
    ["ls & id", 3, /background/],
    ["ls &", 3, /background/],
    ["ls > /etc/x", 3, /`>` sends output/],
    ["ls 2>&1", 4, /`>`/],
    ["ls >>x", 3, /`>>`/],
    ["sh < x", 3, /`<` takes input/],
    ["sh <<x", 3, /`<<`/],
    ["cat <(id)", 4, /`<\(`/],
    ["ls $(id)", 3, /`\$\(` runs another/],
    ["ls $HOME", 3, /`\$` stands/],
    ["ls a$", 4, /`\$`/],
    [`ls $${"{x}"}`, 3, /`\$\{`/],
    ["ls $((1))", 3, /calculate/],
    ["ls $'\\n'", 3, /`\$'`/],
    ["ls `id`", 3, /^A ` runs/],
    ['ls "$HOME"', 4, /in double quotes too/],
    ['ls "a $(id)"', 6, /`\$\(`.*double/],
    ['ls "`id`"', 4, /double quotes/],
    ["(ls)", 0, /`\(` groups/],
    ["ls )", 3, /`\)`/],
    ["ls *", 3, /`\*`/],
    ["ls a?", 4, /`\?`/],
    ["ls [a]", 3, /`\[`/],
    ["ls {a,b}", 3, /`\{`/],
    ["ls }", 3, /`\}`/],
    ["! ls", 0, /`!`/],
    ["ls !!", 3, /`!`/],
    ["ls #x", 3, /comment/],
    ["#ls", 0, /comment/],
    ["ls ~", 3, /home directory/],
    ["~root/x", 0, /home directory/],
    ["A=1 ls", 0, /`=` sets a variable/],
    ["LD_PRELOAD=/tmp/x.so ls", 0, /`=` sets/],
    ["A+=1 ls", 0, /`=` sets/],
    ["A='x y' ls", 0, /`=` sets/],
    ["if true", 0, /`if` is a word of shell scripts/],
    ["while x", 0, /`while`/],
    ["for x in y", 0, /`for`/],
    ["function x", 0, /`function`/],
    ["ls\nid", 2, /line break/],
    ["ls \\\n-l", 4, /line break/],
    ["ls '\n'", 4, /line break/],
    ["ls\0", 2, /NUL/],
    ["ls \u001b[2J", 3, /control character/],
    ["ls\r", 2, /control character/],
    ["ls \u009b", 3, /control character/],
    ["ls 'a\tb'", 5, /tab/],
    ["ls \\\t", 4, /tab/],
    ['ls "\t"', 4, /tab/],
    ["ls \ud800", 3, /UTF-8/],
    ["ls a\ufffd", 4, /UTF-8/],
    ["ls \u2028", 3, /control character/],
    ["ls a\u202eb", 4, /direction/],
    ["ls 'a", 3, /' has no counterpart/],
    ['ls a"b', 4, /" has no counterpart/],
    ['ls "a\\"', 3, /" has no counterpart/],
    ["ls \\", 3, /ends with a \\/],
    ["x".repeat(4097), 4096, /longer than 4096/],
    ["a ".repeat(1001), 2000, /More than 1000 words/],
  ];
  for (const [line, offset, message] of refused)
    it(`is refused: ${JSON.stringify(line.slice(0, 30))}`, () => {
      for (const pipes of [false, true]) {
        if (pipes && line === "ls|id") continue;
        const parsed = parseLine(line, { pipes });
        assert.ok(!parsed.ok);
        assert.equal(parsed.offset, offset);
        assert.match(parsed.message, message);
        assert.match(parsed.message, /[.]$/);
      }
    });

  it("is parted by pipes where they are taken, with the offset of every word", () => {
    assert.deepEqual(parseLine("a 'b |'|c | d", { pipes: true }), {
      ok: true,
      stages: [
        [
          { text: "a", offset: 0 },
          { text: "b |", offset: 2 },
        ],
        [{ text: "c", offset: 8 }],
        [{ text: "d", offset: 12 }],
      ],
    });
  });

  it("has no empty stage, no `||` or `|&`, and no more than ten stages", () => {
    const rows: [line: string, offset: number, message: RegExp][] = [
      ["| a", 0, /Nothing comes before/],
      ["a | | b", 4, /Nothing comes before/],
      ["a | ", 2, /Nothing follows/],
      ["a || b", 2, /`\|\|`/],
      ["a|&b", 1, /`\|&`/],
      ["a | if b", 4, /`if`/],
      ["a | X=1 b", 4, /`=`/],
      [Array(11).fill("a").join("|"), 19, /More than 10 commands/],
    ];
    for (const [line, offset, message] of rows) {
      const parsed = parseLine(line, { pipes: true });
      assert.ok(!parsed.ok, line);
      assert.equal(parsed.offset, offset, line);
      assert.match(parsed.message, message);
    }
    assert.ok(parseLine(Array(10).fill("a").join("|"), { pipes: true }).ok);
  });

  it("takes lines at the limits", () => {
    assert.ok(parseLine("x".repeat(4096), { pipes: false }).ok);
    assert.ok(parseLine("a ".repeat(1000), { pipes: false }).ok);
  });
});
