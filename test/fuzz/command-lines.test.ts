import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { CommandGrant, type CommandRule } from "@sallyport/core/commands/command-rule.ts";
import { CommandRules, type HostFiles } from "@sallyport/core/commands/match.ts";
import { caretText, parseLine } from "@sallyport/core/commands/parse-line.ts";
import fc from "fast-check";
import { fuzz, RUNS, timeLimit } from "./support/fuzz.ts";
import { modelAllows } from "./support/rule-model.ts";

/** What the adversary's page and a shell's manual have: none of it may ever be taken outside quotes. */
const SYNTAX = [
  ...["&&", "||", ";", ";;", "&", "|", "|&", ">", ">>", "<", "<<", "<(id)", ">(id)", ">&2", "2>x", "&>x"],
  ...[
    "`id`",
    "$(id)",
    "$HOME",
    `\${x}`,
    "$((1))",
    "$'x'",
    '$"x"',
    "$",
    "$?",
    "(",
    ")",
    "(id)",
    "{",
    "}",
    "{a,b}",
  ],
  ...["*", "?", "[a]", "!", "!!", "\n", "\nid", "\\\n", "\0", "\r", "\u001b[2J", "\u0085", "\u2028"],
  ...['"$(id)"', '"`id`"', '"$HOME"', `"\${x}"`, "'", '"', "'a\n'", '"\n"'],
] as const;
const PIECES = [
  ...[
    "a",
    "b",
    "-",
    "--",
    "=",
    "/",
    ".",
    "x y",
    " ",
    "  ",
    "\t",
    "0",
    "1",
    "é",
    "🙂",
    "猫",
    "\u00a0",
    "\u200b",
  ],
  ...[
    "'",
    "''",
    '"',
    '""',
    "\\",
    "\\\\",
    "\\'",
    '\\"',
    "\\$",
    "\\`",
    "\\a",
    "\\ ",
    "#",
    "~",
    "]",
    "^",
    ":",
    "%",
    ",",
  ],
  ...[
    "'a b'",
    "'$x'",
    '"a b"',
    '"\'"',
    "'\"'",
    '"\\$"',
    '"\\a"',
    '"\\\\"',
    '"a\\\\"',
    "'\\'",
    "if",
    "do",
    "A=1",
    "A=",
  ],
] as const;

/** Lines that a parser might take, and such that it must not. */
const quoted = fc
  .array(fc.constantFrom(...PIECES), { maxLength: 14, size: "max" })
  .map((pieces) => pieces.join(""));
const mixed = fc
  .array(fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...PIECES) }, fc.constantFrom(...SYNTAX)), {
    maxLength: 14,
    size: "max",
  })
  .map((pieces) => pieces.join(""));
/** Any character, and many of those that are read easily. fast-check's own units take seconds to begin. */
const character = fc.oneof(
  fc.nat(0x10ffff).map((point) => String.fromCodePoint(point)),
  fc.nat(0x17f).map((point) => String.fromCodePoint(point)),
  fc.constantFrom("e\u0301", "猫", "🙂", "👩‍🚒", "한", "ß", "\u200b", "\u00a0"),
);
const anyLine = fc.oneof(
  mixed,
  fc.string({ unit: character, maxLength: 200 }),
  fc.string({ unit: fc.constantFrom("'", '"', "\\", " ", "a", "|", "$"), maxLength: 40 }),
);
/** A word that can be an argument. */
const word = fc
  .oneof(
    fc.string({ unit: character, maxLength: 20 }),
    fc.string({ unit: fc.constantFrom(..."ab '\"\\$`!*?[]{}()<>|&;#~=-/"), maxLength: 12 }),
  )
  .filter((text) => !/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\ufffd\u202a-\u202e\u2066-\u2069]/u.test(text));
const styles: readonly ((text: string) => string)[] = [
  (text) => `'${text.replaceAll("'", "'\\''")}'`,
  (text) => `"${text.replaceAll(/[\\"$`]/g, "\\$&")}"`,
  (text) =>
    text === "" ? "''" : Array.from(text, (char) => (/[a-z0-9]/.test(char) ? char : `\\${char}`)).join(""),
];
const style = fc.nat(styles.length - 1);

/** What sh says, of each line given to it, after all of them have run. */
function shell(script: string): { stdout: string; stderr: string } {
  const sh = spawnSync("/bin/sh", [], {
    input: script,
    env: { PATH: "/nonexistent", LC_ALL: "C" },
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  assert.equal(sh.error, undefined);
  return sh;
}

/** The words of a line of one command; null when it is refused. */
function wordsOf(line: string): string[] | null {
  const parsed = parseLine(line, { pipes: false });
  return parsed.ok ? (parsed.stages[0] ?? []).map(({ text }) => text) : null;
}

describe("command lines under generated cases", function () {
  this.timeout(timeLimit());

  it("are, where they are taken, word for word what sh makes of them", async () => {
    const taken = new Map<string, string[]>();
    await fuzz(fc.oneof(quoted, mixed), (line) => {
      const words = wordsOf(line);
      if (words !== null) taken.set(line, words);
    });
    assert.ok(taken.size > RUNS / 20, `only ${taken.size} lines were taken`);
    const lines = [...taken.keys()];
    const { stdout, stderr } = shell(
      ["f() { printf '%s\\0' $# \"$@\"; echo; }", ...lines.map((line) => `f ${line}`), ""].join("\n"),
    );
    assert.equal(stderr, "");
    const said = stdout.split("\n");
    for (const [index, line] of lines.entries()) {
      const words = taken.get(line) ?? [];
      assert.deepEqual(said[index]?.split("\0"), [`${words.length}`, ...words, ""], JSON.stringify(line));
    }
    assert.equal(said.length, lines.length + 1);
  });

  it("have for a command what sh would look for", async () => {
    const parts = [
      "q",
      "Q",
      "'",
      '"',
      "\\",
      "=",
      "_",
      "1",
      " ",
      "if",
      "fi",
      "do",
      "!",
      "-",
      "'q'",
      '"',
      "{",
      "}",
      "in",
    ];
    const taken = new Map<string, string>();
    await fuzz(fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 6 }), (pieces) => {
      const line = pieces.join("");
      const [command] = wordsOf(line) ?? [];
      // Without a name sh says something else.
      if (command !== undefined && command !== "") taken.set(line, command);
    });
    const { stderr } = shell(`${[...taken.keys()].join("\n")}\n`);
    const said = stderr.split("\n").map((line) => /^\S*sh: (?:line )?\d+: (.*): not found$/.exec(line)?.[1]);
    assert.deepEqual(said.slice(0, -1), [...taken.values()]);
  });

  it("are taken or refused inside the line, whatever they are, and shown in two lines", async () => {
    await fuzz(fc.tuple(anyLine, fc.boolean()), ([line, pipes]) => {
      const parsed = parseLine(line, { pipes });
      if (!parsed.ok) {
        assert.ok(parsed.offset >= 0 && parsed.offset < line.length);
        assert.match(parsed.message, /^[\x20-\x7e…]+\.$/);
        assert.match(caretText(line, parsed.offset), /^[^\p{Cc}\u2028\u2029]*\n *\^$/u);
        return;
      }
      const words = parsed.stages.flat();
      assert.ok(parsed.stages.every((stage) => stage.length > 0));
      assert.ok(pipes || parsed.stages.length <= 1);
      assert.doesNotMatch(words.map(({ text }) => text).join(""), /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u);
      assert.ok(words.every(({ offset }, index) => offset > (words[index - 1]?.offset ?? -1)));
      // Between pipes there is what would be taken alone.
      for (const [index, stage] of parsed.stages.entries()) {
        const begin = stage[0]?.offset ?? 0;
        const end: number = parsed.stages[index + 1]?.[0]?.offset ?? line.length;
        const alone: string = line
          .slice(begin, end)
          .replace(index + 1 < parsed.stages.length ? /\|[ \t]*$/ : /$/, "");
        assert.deepEqual(
          wordsOf(alone),
          stage.map(({ text }) => text),
        );
      }
    });
  });

  it("come back from every kind of quotes as they were", async () => {
    await fuzz(fc.array(fc.tuple(word, style), { maxLength: 6 }), (words) => {
      const line = words.map(([text, how]) => styles[how]?.(text)).join(" ");
      assert.deepEqual(
        wordsOf(line),
        words.map(([text]) => text),
      );
    });
  });

  it("with shell syntax outside quotes are refused, wherever it stands", async () => {
    const plain = fc.array(fc.tuple(word, style), { minLength: 0, maxLength: 4 });
    await fuzz(
      fc.tuple(plain, fc.constantFrom(...SYNTAX), plain, fc.constantFrom("", " ")),
      ([a, syntax, b, gap]) => {
        const text = (words: typeof a) => words.map(([one, how]) => styles[how]?.(one)).join(" ");
        const line = `${text(a)}${gap}${syntax}${gap}${text(b)}`;
        // An open quote may find its counterpart further on, and then is no syntax.
        if (syntax === "'" || syntax === '"') {
          assert.ok(wordsOf(`${text(a)}${gap}${syntax}`) === null);
          return;
        }
        assert.equal(wordsOf(line), null, JSON.stringify(line));
      },
    );
  });
});

/** A host that has every program and no files. */
const FILES: HostFiles = {
  real: () => null,
  program: (name) => (name.startsWith("/") ? name : `/usr/bin/${name}`),
};
const text = fc.constantFrom(
  "a",
  "b",
  "ab",
  "",
  "-a",
  "-b",
  "--",
  "--ab",
  "-a=",
  "-ab",
  "--ab=a",
  "-a1",
  "1",
  "2",
  "-1",
  "-",
);
const value = fc.oneof(
  { weight: 3, arbitrary: text },
  fc.record({ oneOf: fc.array(text, { minLength: 1, maxLength: 3 }) }),
  fc.constantFrom({ integer: { from: -1, to: 1 } }, { integer: { from: 1, to: 2 } }),
  fc.constantFrom(...["[ab]*", "a|ab", ".+", "-?a", "b?"].map((matches) => ({ matches }))),
  fc.constant({ under: "/" }),
);
const count = fc.nat(3);
const argument = fc.oneof(
  { weight: 4, arbitrary: value },
  fc.record({ optional: fc.array(value, { minLength: 1, maxLength: 2 }) }),
  fc
    .tuple(value, count, count)
    .map(([repeated, from, more]) => ({ repeated, from, to: Math.max(1, from + more) })),
  fc.constant({ rest: true as const }),
);
const flag = fc.oneof(
  fc.constantFrom("-a", "-b", "--", "--ab", "-ab"),
  fc.record({ flag: fc.constantFrom("-a", "-b", "--ab", "-ab", "-a=", "--", "-"), value }),
);
const rule = fc.record({
  program: fc.constantFrom("tool", "/usr/bin/tool", "other"),
  flags: fc.array(flag, { maxLength: 2 }),
  arguments: fc.array(argument, { maxLength: 4 }),
});

describe("command rules under generated cases", function () {
  this.timeout(timeLimit());

  it("allow what a plain reading of them allows, and then the very arguments", async () => {
    let allowed = 0;
    const asked = fc.array(text, { maxLength: 6 });
    await fuzz(fc.tuple(fc.array(rule, { minLength: 1, maxLength: 4 }), asked), ([written, words]) => {
      const grant = CommandGrant.parse({ rules: written });
      const argv = ["tool", ...words];
      const decision = new CommandRules([grant]).decide(argv, { home: "/", files: FILES });
      const fit = (one: CommandRule) => one.program !== "other" && modelAllows(one, words);
      const expected = grant.rules.find(fit);
      if (decision.outcome === "refuse") {
        assert.equal(expected, undefined, decision.detail);
        return;
      }
      allowed++;
      assert.equal(decision.rule, expected);
      assert.deepEqual(decision.argv, argv);
      assert.equal(decision.program, "/usr/bin/tool");
    });
    assert.ok(allowed > RUNS / 50, `only ${allowed} were allowed`);
  });

  it("complete only what they may allow, and decide on anything", async () => {
    const words = fc.array(fc.oneof(text, fc.string({ unit: character, maxLength: 20 })), { maxLength: 5 });
    await fuzz(fc.tuple(fc.array(rule, { maxLength: 3 }), words), ([written, asked]) => {
      const rules = new CommandRules([CommandGrant.parse({ rules: written })]);
      const argv = ["tool", ...asked];
      const decision = rules.decide(argv, { home: "/", files: FILES });
      if (decision.outcome === "refuse") {
        assert.doesNotMatch([decision.detail, ...decision.usages].join(""), /[\p{Cc}\p{Cs}]/u);
        assert.ok(decision.usages.length <= Math.min(10, written.length));
      }
      for (const found of rules.complete(argv)) assert.ok(found.startsWith(argv.at(-1) ?? ""));
    });
  });
});
