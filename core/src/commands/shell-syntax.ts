/** Said where something joins commands. */
const ALONE = "here each command is given alone";
const QUOTE = "put it in single quotes to mean the character";

/** Longest first: what is found at a place is the first that fits there. */
const OPERATORS: readonly [text: string, message: string][] = [
  ["&&", `A \`&&\` joins two commands; ${ALONE}.`],
  ["||", `A \`||\` joins two commands; ${ALONE}.`],
  ["|&", "A `|&` is a pipe of some shells; here a pipe is `|`, and takes the output only."],
  [
    "|",
    "A `|` sends what one command prints to another; that works at the prompt: log in without a command.",
  ],
  [";;", `A \`;;\` belongs to the scripts of a shell; ${ALONE}.`],
  [";", `A \`;\` ends a command so that another may follow; ${ALONE}.`],
  ["&>", "A `&>` sends output to a file; here output comes to you, and you can keep it on your side."],
  ["&", `A \`&\` runs a command in the background; ${ALONE}, and is waited for.`],
  ["<<", "A `<<` gives a command its input in the line; here input comes from you."],
  ["<(", "A `<(` runs another command; here each command is given alone."],
  [">(", "A `>(` runs another command; here each command is given alone."],
  ["<", "A `<` takes input from a file; here input comes from you."],
  [">>", "A `>>` sends output to a file; here output comes to you, and you can keep it on your side."],
  [">", "A `>` sends output to a file; here output comes to you, and you can keep it on your side."],
  ["$((", `A \`$((\` makes the shell calculate; there is no shell here: write the number, or ${QUOTE}.`],
  ["$(", "A `$(` runs another command; here each command is given alone, and its words are written out."],
  ["${", `A \`\${\` stands for a variable; there is no shell here: write out what is in it, or ${QUOTE}.`],
  ["$'", "A `$'` is a quote of some shells; here quotes are '…', \"…\" and \\."],
  ['$"', 'A `$"` is a quote of some shells; here quotes are \'…\', "…" and \\.'],
  ["$", `A \`$\` stands for a variable; there is no shell here: write out what is in it, or ${QUOTE}.`],
  ["`", "A ` runs another command; here each command is given alone, and its words are written out."],
  ["(", `A \`(\` groups commands; ${ALONE}, or ${QUOTE}.`],
  [")", `A \`)\` groups commands; ${ALONE}, or ${QUOTE}.`],
  ["*", `A \`*\` stands for names of files; there is no shell here: write the names out, or ${QUOTE}.`],
  ["?", `A \`?\` stands for names of files; there is no shell here: write the names out, or ${QUOTE}.`],
  ["[", `A \`[\` stands for names of files; there is no shell here: write the names out, or ${QUOTE}.`],
  ["{", `A \`{\` groups commands or words; there is no shell here: write the words out, or ${QUOTE}.`],
  ["}", `A \`}\` groups commands or words; there is no shell here: write the words out, or ${QUOTE}.`],
  ["!", `A \`!\` turns a result round or calls up history; there is no shell here: ${QUOTE}.`],
];
const INITIALS = new Set(OPERATORS.map(([text]) => text[0]));

/** What a shell would make of the characters at a place outside quotes; null when they are plain ones. */
export function operatorAt(line: string, at: number): string | null {
  if (!INITIALS.has(line[at])) return null;
  return OPERATORS.find(([text]) => line.startsWith(text, at))?.[1] ?? null;
}

/** What a shell would make of a character that is special at the beginning of a word only. */
export function initialAt(line: string, at: number): string | null {
  if (line[at] === "#") return `A \`#\` begins a comment; ${QUOTE}.`;
  if (line[at] === "~")
    return `A \`~\` stands for a home directory; there is no shell here: write the path out, or ${QUOTE}.`;
  return null;
}

/** What a shell would make of a character inside double quotes; null when it is a plain one there. */
export function insideDoubleQuotes(line: string, at: number): string | null {
  if (line[at] === "`")
    return "A ` runs another command, in double quotes too; in single quotes it is only a character.";
  if (line[at] !== "$") return null;
  return line[at + 1] === "("
    ? "A `$(` runs another command, in double quotes too; in single quotes it is only characters."
    : "A `$` stands for a variable, in double quotes too; in single quotes it is only a character.";
}

/** XCU 2.4, without `!`, `{` and `}`, and what other shells add. `time` is a program, too. */
const RESERVED = new Set([
  ...["case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while"],
  ...["function", "select", "namespace", "coproc"],
]);

/** Why these characters, unquoted, cannot be the name of a command: reserved words and assignments. */
export function notACommand(raw: string): string | null {
  if (RESERVED.has(raw)) return `\`${raw}\` is a word of shell scripts; ${ALONE}.`;
  if (/^[A-Za-z_][A-Za-z0-9_]*\+?=/.test(raw))
    return "A `=` sets a variable for a command; here the environment is set by the engagement.";
  return null;
}

/** What cannot be in a line: control characters but the tab, halves of pairs, separators, invisible changes of direction. */
const UNFIT = /[^\P{Cc}\t]|[\p{Cs}\p{Zl}\p{Zp}\ufffd\u202a-\u202e\u2066-\u2069]/u;

/** The first character that can be in no line at all, and why; null where all are fit. */
export function unfitIn(line: string): { offset: number; message: string } | null {
  const found = UNFIT.exec(line);
  return found === null ? null : { offset: found.index, message: whyUnfit(found[0]) };
}

function whyUnfit(char: string): string {
  if (char === "\n") return `A line break ends a command so that another may follow; ${ALONE}.`;
  if (char === "\0") return "There is a NUL in the line; no argument can hold one.";
  if (/[\p{Cs}\ufffd]/u.test(char))
    return "This is not valid UTF-8; what is in other encodings cannot be given.";
  if (/[\u202a-\u202e\u2066-\u2069]/u.test(char))
    return "An invisible character here changes the direction of the text; take it out.";
  return "There is a control character in the line; take it out.";
}
