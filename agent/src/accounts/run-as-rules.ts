import {
  type Argument,
  type CommandRule,
  PROGRAM_PATH,
  type Value,
} from "@sallyport/core/commands/command-rule.ts";
import type { SudoCommand } from "@sallyport/core/policy/grants.ts";
import { sudoCommandProblem } from "./sudoers-text.ts";

/*
 * Rules with `runAs` as sudo's own rules, for the personal accounts of an engagement in mode `commands`. The recorder has matched
 * the command before it runs sudo(8), so sudo's rule is the second lock and not the first: nothing else of such a session reaches
 * sudo, since the shim gives every other program no_new_privs, under which sudo gains nothing, and all that it starts inherits it.
 *
 * What is literal and finite is written out, word for word. What sudo cannot say exactly (a range, an expression, a path after
 * symbolic links, flags in any order, an argument with a blank) opens the program with any arguments; its own patterns would
 * promise more than they hold, for `*` matches blanks and slashes too. So the second lock is the program there, and it
 * is only there where nobody has a shell of the account: see docs/decisions/0026-sudo-in-commands-mode.md.
 */

/** Rules that mean more lines than this are not written out. */
const MAX_COMBINATIONS = 64;

/** What sudo may run for one rule: itself and nothing else (`exact`), or its program with any arguments. */
export interface SudoForRule {
  exact: boolean;
  commands: SudoCommand[];
}

/** What sudo needs to allow for a rule with `runAs`; null for one without. */
export function sudoForRule(rule: CommandRule): SudoForRule | null {
  const { runAs } = rule;
  if (runAs === undefined) return null;
  const programs = rule.program.startsWith("/")
    ? [rule.program]
    : PROGRAM_PATH.map((directory) => `${directory}/${rule.program}`);
  const lists = rule.flags.length > 0 ? null : argumentLists(rule.arguments);
  const exact = programs.flatMap((program) =>
    (lists ?? []).map((list): SudoCommand => ({ program, arguments: list, runAs })),
  );
  if (lists?.every((list) => isExactlyWritten(list, runAs))) return { exact: true, commands: exact };
  return { exact: false, commands: programs.map((program) => ({ program, arguments: null, runAs })) };
}

/** An empty argument would be lost between the blanks that sudo joins arguments with. */
function isExactlyWritten(list: string[], runAs: SudoCommand["runAs"]): boolean {
  return !list.includes("") && sudoCommandProblem({ program: "/x", arguments: list, runAs }) === null;
}

/** Every list of arguments that these places allow; null where there are too many, or no end of them. */
function argumentLists(places: readonly Argument[]): string[][] | null {
  let lists: string[][] = [[]];
  for (const place of places) {
    const choices = choicesOf(place);
    if (choices === null || lists.length * choices.length > MAX_COMBINATIONS) return null;
    lists = lists.flatMap((list) => choices.map((choice) => [...list, ...choice]));
  }
  return lists;
}

function choicesOf(place: Argument): string[][] | null {
  if (typeof place === "object" && "optional" in place) {
    const all = argumentLists(place.optional);
    return all === null ? null : [[], ...all];
  }
  if (typeof place === "object" && ("repeated" in place || "rest" in place)) return null;
  return valuesOf(place)?.map((value) => [value]) ?? null;
}

function valuesOf(value: Value): string[] | null {
  if (typeof value === "string") return [value];
  if ("oneOf" in value) return value.oneOf.length > MAX_COMBINATIONS ? null : value.oneOf;
  if (!("integer" in value)) return null;
  const { from, to } = value.integer;
  if (to - from >= MAX_COMBINATIONS) return null;
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
}
