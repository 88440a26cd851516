import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import type { CommandGrant, CommandRule } from "@sallyport/core/commands/command-rule.ts";
import { isLooser } from "./is-looser.ts";

/**
 * Whether a list of commands allows something that the one before did not; null before is another mode. In doubt it does. Not
 * more are: rules that are gone, lower limits, fewer programs and places to write, and confinement that is required now.
 */
export function commandsGrantMore(before: CommandGrant | null, after: CommandGrant): boolean {
  // Of a shell a list takes away; what it runs as another account, the shell could not.
  if (before === null) return after.rules.some(({ runAs }) => runAs !== undefined);
  if (before.confinement === "required" && after.confinement === "available") return true;
  // In their order: the first rule that matches says how a command runs.
  let next = 0;
  return after.rules.some((rule) => {
    const found = before.rules.findIndex((one, index) => index >= next && covers(one, rule));
    next = found + 1;
    return found === -1;
  });
}

function covers(before: CommandRule, after: CommandRule): boolean {
  return (
    canonicalJson(matchedBy(before)) === canonicalJson(matchedBy(after)) &&
    !isLooser(before.timeLimit ?? null, after.timeLimit ?? null) &&
    !isLooser(before.outputLimit ?? null, after.outputLimit ?? null) &&
    canonicalJson(before.confine.read ?? null) === canonicalJson(after.confine.read ?? null) &&
    isWithin(before.confine.execute, after.confine.execute) &&
    isWithin(before.confine.write, after.confine.write)
  );
}

/** What must be the same; name and description are for people. */
function matchedBy({ program, flags, arguments: args, directory, environment, runAs }: CommandRule) {
  return { program, flags, args, directory: directory ?? null, environment, runAs: runAs ?? null };
}

function isWithin(before: readonly string[], after: readonly string[]): boolean {
  return after.every((path) => before.includes(path));
}
