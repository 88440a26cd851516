import type { LocalPolicy } from "../policy/local-policy.ts";
import type { PolicyFile } from "../policy/policy-file.ts";

/** What `sallyport policy test` is asked. */
export interface PolicyQuestion {
  policy: PolicyFile;
  /** Local policies of the host; all of them hold. */
  locals: readonly LocalPolicy[];
  /** E-mail. */
  member: string;
  host: { name: string; labels: Readonly<Record<string, string>> };
  account: string;
  /** Seconds since the epoch. */
  now: number;
  /** Where the login comes from; null: source networks are not asked for. */
  sourceAddress: string | null;
  /** The command: as typed, or word for word; null for a login without one. */
  command: string | readonly string[] | null;
}

/** One program of the line, and the rule that gave it. */
export interface AllowedStage {
  /** Name of the rule. */
  rule: string;
  /** Where the rule stands in the policy file; null for a rule of the host's own policy, which makes commands of a shell. */
  path: readonly PropertyKey[] | null;
  /** What is executed, as far as a file can tell. */
  argv: string[];
  program: string;
  directory: string;
  runAs: string | null;
  /** Seconds, bytes; null: none. */
  timeLimit: number | null;
  outputLimit: number | null;
  confinement: "available" | "required";
}

interface Answer {
  /** What was taken for granted, in sentences. */
  assumed: string[];
}

export interface AllowedAnswer extends Answer {
  outcome: "allow";
  engagement: string;
  /** Where the engagement stands in the policy file. */
  path: readonly PropertyKey[];
  /** `shell`: everything; `commands`: {@link stages}; `prompt`: of `commands`, without one; `files`: each file is judged on the host. */
  as: "shell" | "commands" | "prompt" | "files";
  stages: AllowedStage[];
  /** Seconds since the epoch. */
  until: number;
  /** Other engagements that would admit as well, and do so where this one does not. */
  others: string[];
}

export interface RefusedAnswer extends Answer {
  outcome: "refuse";
  /** A code of docs/refusals.md, `shell-syntax`, `nothing-but-files`, or one of the command's: `command-not-allowed`, `argument-not-allowed`. */
  code: string;
  detail: string;
  /** The line with a caret under what is not taken, for `shell-syntax`. */
  caret: string | null;
  /** The engagement that was meant; null where there is none. */
  engagement: string | null;
  path: readonly PropertyKey[];
  /** Whether the engagement would allow it, and the host's own policy does not. */
  byLocalPolicy: boolean;
  /** What is allowed there. */
  usages: string[];
}

export type PolicyAnswer = AllowedAnswer | RefusedAnswer;
