import { z } from "zod";
import { CommandGrant, CommandRule } from "../commands/command-rule.ts";
import { ShortName } from "../names.ts";
import {
  checkEngagementFields,
  ONLY_PERSONAL,
  type PolicyEngagement,
  PolicyEngagementFields,
} from "./policy-engagement.ts";

/*
 * Sets of rules that several engagements of a policy file share. They are the file's own: what is stored, sent to hosts and
 * compared has the rules in their place, so that a set is a matter of writing and nothing else.
 */

const MAX_RULES = 1000;

/** Rules by the name of their set. */
export const NamedSets = z
  .record(ShortName, z.array(CommandRule).max(MAX_RULES))
  .refine((sets) => Object.keys(sets).length <= 1000, "at most 1000 sets")
  .default({});
type NamedSets = z.infer<typeof NamedSets>;

/** An engagement as a policy file has it: its `commands` may `use` sets. */
export const FileEngagement = PolicyEngagementFields.extend({
  commands: CommandGrant.extend({ use: z.array(ShortName).max(100).default([]) })
    .nullable()
    .default(null)
    .describe(
      `${PolicyEngagementFields.shape.commands.description} \`use\`: names of \`commandSets\` of this file.`,
    ),
}).superRefine(({ commands, ...rest }, context) => {
  checkEngagementFields({ ...rest, commands: commands === null ? null : withoutUse(commands) }, context);
});
type FileEngagement = z.infer<typeof FileEngagement>;

/** The engagement with the rules of its sets behind its own, in the order of `use`. `problem` is told what is wrong, and where. */
export function withSets(
  { commands, ...engagement }: FileEngagement,
  sets: NamedSets,
  problem: (path: PropertyKey[], message: string) => void,
): PolicyEngagement {
  if (commands === null) return { ...engagement, commands };
  const rules = [...commands.rules];
  for (const [index, name] of commands.use.entries()) {
    const at = ["commands", "use", index];
    const set = Object.hasOwn(sets, name) ? sets[name] : undefined;
    if (set === undefined) problem(at, unknownSet(name, Object.keys(sets)));
    else if (commands.use.indexOf(name) < index) problem(at, `the set ${name} is listed twice`);
    else if (engagement.personal === null && set.some(({ runAs }) => runAs !== undefined))
      problem(at, `the set ${name} has a rule with \`runAs\`: ${ONLY_PERSONAL}`);
    else rules.push(...set);
  }
  if (rules.length > MAX_RULES)
    problem(
      ["commands", "use"],
      `with its sets it has ${rules.length} rules; at most ${MAX_RULES} are possible`,
    );
  return { ...engagement, commands: { ...withoutUse(commands), rules } };
}

function unknownSet(name: string, known: readonly string[]): string {
  const some = known.slice(0, 10).join(", ");
  return `there is no set ${name} in \`commandSets\`${some === "" ? "" : `; there are: ${some}`}`;
}

function withoutUse<T extends { use: unknown }>({ use: _use, ...grant }: T): Omit<T, "use"> {
  return grant;
}
