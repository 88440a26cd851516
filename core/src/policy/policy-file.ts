import { z } from "zod";
import { AccountName, DisplayText, Email, ShortName } from "../names.ts";
import { FileEngagement, NamedSets, withSets } from "./command-sets.ts";

/** A person as people write them. */
export const PolicyMember = z.strictObject({
  name: DisplayText.min(1).describe("Name that people see."),
  email: Email.describe(
    "The invitation: whoever first signs in with it, verified by the IdP, is this member from then on.",
  ),
  vendor: ShortName.describe("The organisation this person works for."),
  account: AccountName.optional().describe(
    "Name of this person's own account on hosts of engagements with `personal`; made from the e-mail when not given.",
  ),
});
export type PolicyMember = z.infer<typeof PolicyMember>;

/**
 * The policy file: members and engagements. It adds and changes, it never deletes. As it is read, every set that an engagement
 * uses stands among its rules.
 */
export const PolicyFile = z
  .strictObject({
    version: z.literal(1),
    commandSets: NamedSets.describe(
      "Named lists of rules, which the `use` of an engagement's `commands` puts behind its own `rules`.",
    ),
    members: z.array(PolicyMember).max(100_000).default([]),
    engagements: z.array(FileEngagement).max(10_000).default([]),
  })
  .superRefine((file, context) => {
    const once = (list: "members" | "engagements", key: string, values: (string | undefined)[]) => {
      const seen = new Set<string>();
      for (const [index, value] of values.entries()) {
        if (value === undefined) continue;
        if (seen.has(value))
          context.addIssue({ code: "custom", path: [list, index, key], message: `${value} is listed twice` });
        seen.add(value);
      }
    };
    once(
      "members",
      "email",
      file.members.map((member) => member.email),
    );
    once(
      "members",
      "account",
      file.members.map((member) => member.account),
    );
    once(
      "engagements",
      "name",
      file.engagements.map((engagement) => engagement.name),
    );
  })
  .transform((file, context) => ({
    ...file,
    engagements: file.engagements.map((engagement, index) =>
      withSets(engagement, file.commandSets, (path, message) =>
        context.addIssue({ code: "custom", path: ["engagements", index, ...path], message }),
      ),
    ),
  }));
export type PolicyFile = z.infer<typeof PolicyFile>;
