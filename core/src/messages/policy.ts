import { z } from "zod";
import { DisplayText } from "../names.ts";
import { ChangedField } from "../policy/changed-fields.ts";
import { PolicyAcknowledgements } from "./engagements.ts";

/** Most bytes of a policy file. */
export const MAX_POLICY = 8 * 1024 * 1024;

/** `POST /policy`: the text of a policy file. `file` is what mistakes are reported under. */
export const PolicyRequest = z.strictObject({
  text: z.string().max(MAX_POLICY),
  file: DisplayText.min(1).max(255).default("policy.yaml"),
  reason: DisplayText.default(""),
  /** Says what would change, and changes nothing. */
  dryRun: z.boolean().default(false),
});
export type PolicyRequest = z.input<typeof PolicyRequest>;

/** What a policy file changes. Members are named by e-mail, engagements by name. */
export const PolicyChanges = z.object({
  members: z.object({
    added: z.array(z.string()),
    changed: z.array(z.object({ name: z.string(), changes: z.array(ChangedField) })),
    unchanged: z.int(),
  }),
  engagements: z.object({
    added: z.array(z.string()),
    changed: z.array(
      z.object({
        name: z.string(),
        version: z.int(),
        changes: z.array(ChangedField),
        /** It grants more than was approved: it lets nobody in until it is approved anew. */
        needsApproval: z.boolean(),
      }),
    ),
    unchanged: z.int(),
    /** In the file, but ended before their time: they stay as they are. */
    ended: z.array(z.string()),
  }),
});
export type PolicyChanges = z.infer<typeof PolicyChanges>;

/** Answer to `POST /policy`. */
export const PolicyResponse = z.object({
  ...PolicyChanges.shape,
  dryRun: z.boolean(),
  hosts: PolicyAcknowledgements,
});
export type PolicyResponse = z.infer<typeof PolicyResponse>;
