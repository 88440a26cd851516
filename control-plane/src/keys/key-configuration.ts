import { isSallyportError } from "@sallyport/core/errors.ts";
import { parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { z } from "zod";

const PublicKeyLine = z
  .string()
  .max(8192)
  .superRefine((line, context) => {
    try {
      parsePublicKeyLine(line);
    } catch (error) {
      const message = isSallyportError(error) ? error.message : "this is no public key";
      context.addIssue({ code: "custom", message });
    }
  });

const AgentKey = z.strictObject({
  agent: z.string().startsWith("/", "must be an absolute path").describe("Socket of the ssh-agent."),
  publicKey: PublicKeyLine.describe("The key as `ssh-add -L` shows it."),
});
export type AgentKey = z.infer<typeof AgentKey>;

/** One key, or two in the middle of a rotation from one to the other. */
const AgentKeys = z.union([AgentKey.transform((key) => [key]), z.array(AgentKey).min(1).max(2)]).default([]);
const Ed25519AgentKeys = AgentKeys.refine(
  (keys) => keys.every(({ publicKey }) => publicKey.startsWith("ssh-ed25519 ")),
  "must be an ssh-ed25519 key",
);

/** Keys that are in an ssh-agent; all others are in files. */
export const KeyConfiguration = z
  .strictObject({
    userCa: AgentKeys.describe("The key that signs user certificates."),
    hostCa: AgentKeys.describe("The key that signs host certificates."),
    policy: Ed25519AgentKeys.describe("The key that signs bundles and leases; Ed25519."),
    auditLog: Ed25519AgentKeys.refine((keys) => keys.length < 2, "must be one key").describe(
      "The key that signs the audit log's checkpoints; Ed25519. It is not rotated: see renew-audit-log.",
    ),
  })
  .prefault({})
  .describe(
    "Keys that an ssh-agent holds, as `{agent, publicKey}`; what is not named is a file in `dataDirectory`/keys. Another key " +
      "than hosts trust is refused: begin with rotate-key. With the agent away nothing is signed.",
  );
export type KeyConfiguration = z.infer<typeof KeyConfiguration>;
