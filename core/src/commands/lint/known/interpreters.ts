import type { KnownProgram } from "./known-program.ts";

const CODE = "as the program that is named there";

/** Shells and languages: they run what they are given. */
export const INTERPRETERS: readonly KnownProgram[] = [
  {
    programs: "sh bash dash ash zsh ksh mksh fish csh tcsh rbash rksh yash nu pwsh",
    risk: "code",
    bare: "as a shell does, from its input",
    options: [["-c -s -i -o -O -l --rcfile --init-file --login -", "as a shell does"]],
    operand: { which: "first", how: CODE },
  },
  {
    programs: "python pypy ipython",
    risk: "code",
    bare: "from its input",
    options: [["-c -m -i -", "from the command line, a module or its input"]],
    operand: { which: "first", how: CODE },
  },
  {
    programs: "perl",
    risk: "code",
    bare: "from its input",
    options: [["-e -E -M -m -I -d -x -", "from the command line or a module"]],
    operand: { which: "first", how: CODE },
  },
  {
    programs: "ruby irb jruby",
    risk: "code",
    bare: "from its input",
    options: [["-e -r -I -", "from the command line or a library"]],
    operand: { which: "first", how: CODE },
  },
  {
    programs: "node nodejs deno bun ts-node tsx",
    risk: "code",
    bare: "from its input",
    options: [
      [
        "-e --eval -p --print -r --require --import --loader --inspect --inspect-brk -i -",
        "from the command line or a module",
      ],
    ],
    operand: { which: "first", how: CODE },
  },
  {
    programs: "php php-cgi",
    risk: "code",
    bare: "from its input",
    options: [["-r -a -S -d -c -f -B -R -E -F", "from the command line or a setting"]],
    operand: { which: "first", how: CODE },
  },
  {
    programs:
      "lua luajit tclsh wish expect guile scheme R Rscript julia octave java scala groovy erl elixir iex",
    risk: "code",
    bare: "from its input",
    options: [
      [
        "-e -l -i -c -f --eval --load -jar -cp -classpath -agentlib -javaagent -eval -",
        "from the command line or a library",
      ],
    ],
    operand: { which: "first", how: CODE },
  },
  {
    programs: "awk gawk mawk nawk original-awk",
    risk: "starts",
    byValue: true,
    operand: { which: "first", how: 'by system(), "…" | getline and print | "…" in its program' },
    options: [["-f --file -e --source -i --include -l --load -E --exec", "by what its program says"]],
    text: [[/\bsystem\s*\(|\|\s*&?\s*getline|\bprint.*\|/, "by what this program says"]],
  },
  {
    programs: "sed gsed",
    risk: "starts",
    byValue: true,
    operand: { which: "first", how: "by the e command of its script (--sandbox refuses that)" },
    options: [["-e --expression -f --file", "by the e command of its script"]],
    text: [[/^(\d*|\$|\/.*\/)e\b|s(.).*\2.*\2[gpiIm\d]*e/, "by the e command of this script"]],
    closedBy: { words: "--sandbox" },
  },
  {
    programs: "sed gsed",
    risk: "writes",
    operand: { which: "first", how: "by the w command of its script" },
    options: [["-i --in-place -s", "in place"]],
    closedBy: { words: "--sandbox" },
  },
  { programs: "jq yq", risk: "code", options: [["-L -f --from-file", "from a module"]] },
  { programs: "bc dc", risk: "starts", always: "by ! at its prompt (dc), where it was built so" },
  {
    programs: "m4 gcc cc g++ clang tcc as ld",
    risk: "code",
    always: "as what it compiles, includes or loads (syscmd in m4, plugins)",
  },
];
