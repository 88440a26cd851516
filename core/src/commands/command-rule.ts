import { z } from "zod";
import { AccountName, DisplayText, ShortName } from "../names.ts";
import { patternProblem } from "./regular-expression.ts";

/*
 * The language of an allowlist. A rule names one program and says, argument by argument, what it may be given; nothing here
 * is ever joined to a string and given to a shell. docs/policy.md has it in words, match.ts decides by it.
 */

/** Most of everything: a rule is read by people. */
const MAX_RULES = 1000;
const MAX_ARGUMENTS = 100;

/** An argument, letter by letter: what execve(2) can pass on and a terminal can show. */
const Text = z
  .string()
  .max(4096)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, "control characters are not allowed");

/** An absolute path without `.`, `..` and doubled slashes. */
export const AbsolutePath = z
  .string()
  .max(1024)
  .regex(/^\/([^/\p{Cc}]+(\/[^/\p{Cc}]+)*)?$/u, "a path is absolute, and ends without a slash")
  .refine((path) => !path.split("/").some((part) => part === "." || part === ".."), "a path has no . and ..");

/** A program: absolute, or a name that is looked for in {@link PROGRAM_PATH}. */
export const Program = z
  .string()
  .max(1024)
  .regex(
    /^(\/[^/\p{Cc}\s]+(\/[^/\p{Cc}\s]+)*|[A-Za-z0-9_][A-Za-z0-9._+-]{0,254})$/u,
    "a program is an absolute path, or a name without slashes",
  );

/** Where a program without slashes is looked for, in this order; the contractor's own PATH never counts. */
export const PROGRAM_PATH: readonly string[] = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
];

const Pattern = z
  .string()
  .min(1)
  .max(1000)
  .superRefine((pattern, context) => {
    const problem = patternProblem(pattern);
    if (problem !== null) context.addIssue({ code: "custom", message: `the pattern ${problem}` });
  });

/**
 * One argument. An argument that begins with `-` is only ever matched where it is written out (a literal, one of, a flag),
 * so that no value becomes an option of the program.
 */
export const Value = z.union([
  /** Literally this. */
  Text,
  z.strictObject({ oneOf: z.array(Text).min(1).max(1000) }),
  /** A decimal integer without sign or leading zeros, bounds included; negative ones with a `-`. */
  z.strictObject({
    integer: z
      .strictObject({ from: z.int(), to: z.int() })
      .refine(({ from, to }) => from <= to, "`from` is not above `to`"),
  }),
  /** A regular expression in RE2's syntax that the whole argument must match. */
  z.strictObject({ matches: Pattern }),
  /** A path that, after symbolic links, is this directory or in it. */
  z.strictObject({ under: AbsolutePath }),
]);
export type Value = z.infer<typeof Value>;

/** A place in the list of arguments. */
export const Argument = z.union([
  Value,
  /** All of these, or none. */
  z.strictObject({ optional: z.array(Value).min(1).max(20) }),
  /** This, again and again. */
  z
    .strictObject({
      repeated: Value,
      from: z.int().min(0).max(1000).default(0),
      to: z.int().min(1).max(1000),
    })
    .refine(({ from, to }) => from <= to, "`from` is not above `to`"),
  /** Whatever comes, flags too: what a program makes of it is its own affair. */
  z.strictObject({ rest: z.literal(true) }),
]);
export type Argument = z.infer<typeof Argument>;

/** An option of the program, which may stand anywhere before `--`: alone, or with a value (`-n 5`, `-n5`, `--lines=5`). */
export const Flag = z.union([
  Text.regex(/^-/, "a flag begins with -"),
  z.strictObject({ flag: Text.regex(/^-/, "a flag begins with -"), value: Value }),
]);
export type Flag = z.infer<typeof Flag>;

/** What the kernel lets a program do besides what it needs to start (landlock(7)). */
export const Confinement = z.strictObject({
  /** Further programs that it may execute. */
  execute: z.array(AbsolutePath).max(200).default([]),
  /** Files and directories that it may write to, and make and remove things in. */
  write: z.array(AbsolutePath).max(200).default([]),
  /**
   * What it may read. A list: the system's own files, the directories of its `under` arguments, and these. `any`: everything
   * that the account may, programs too, which the dynamic loader can then be told to run. Left out: for a rule with `under`
   * as an empty list; for others everything but directories of programs.
   */
  read: z.union([z.literal("any"), z.array(AbsolutePath).max(200)]).optional(),
});
export type Confinement = z.infer<typeof Confinement>;

/** One command that an engagement allows. */
export const CommandRule = z.strictObject({
  /** How it is called in answers and events; else by its program. */
  name: ShortName.optional(),
  /** Shown by `help`. */
  description: DisplayText.optional(),
  program: Program,
  flags: z.array(Flag).max(MAX_ARGUMENTS).default([]),
  arguments: z.array(Argument).max(MAX_ARGUMENTS).default([]),
  /** Where it runs, and what relative paths are relative to; the account's home when left out. */
  directory: AbsolutePath.optional(),
  /** Set besides the clean environment that every command gets. */
  environment: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), Text)
    .refine((set) => Object.keys(set).length <= 100, "at most 100 variables")
    .default({}),
  /** Runs as this account by sudo(8); without Landlock then, for sudo needs what Landlock takes. */
  runAs: AccountName.optional(),
  /** Seconds after which it is ended. */
  timeLimit: z.int().min(1).max(86_400).optional(),
  /** Bytes of output after which it is ended. */
  outputLimit: z
    .int()
    .min(1)
    .max(2 ** 40)
    .optional(),
  confine: Confinement.prefault({}),
});
export type CommandRule = z.infer<typeof CommandRule>;

/** What an engagement in `commands` mode allows. */
export const CommandGrant = z.strictObject({
  rules: z.array(CommandRule).max(MAX_RULES).default([]),
  /** `required`: a host whose kernel cannot confine runs nothing; `available`: it is confined where the kernel can. */
  confinement: z.enum(["available", "required"]).default("available"),
});
export type CommandGrant = z.infer<typeof CommandGrant>;

/** How a rule is called in answers, events and lists. */
export function ruleName(rule: Pick<CommandRule, "name" | "program">): string {
  return rule.name ?? rule.program.slice(rule.program.lastIndexOf("/") + 1);
}
