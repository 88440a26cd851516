import { z } from "zod";
import { FileGrant } from "../files/file-grant.ts";
import { DisplayText } from "../names.ts";
import type { Engagement } from "../policy/engagement.ts";
import { CommandGrant } from "./command-rule.ts";

/**
 * What a session may be, as its recorder is told it. Of `commands` and `files` each list has the engagement's own first and
 * then what the host's local policies leave of it: every one of them must allow what is asked for; none of them allows
 * nothing. How a command runs is the engagement's own rule's say, with the narrowest limits.
 */
export const SessionGrant = z.discriminatedUnion("mode", [
  z.object({ mode: z.literal("shell") }),
  z.object({
    mode: z.enum(["commands", "files"]),
    commands: z.array(CommandGrant),
    files: z.array(FileGrant),
    /** Name of the engagement, and whom to ask: both are told with a refusal. */
    engagement: z.string(),
    contact: DisplayText,
  }),
]);
export type SessionGrant = z.infer<typeof SessionGrant>;

/** What an engagement makes of its sessions on a host. */
export function sessionGrant(engagement: Engagement): SessionGrant {
  const { mode, commands, files, name, contact } = engagement;
  if (mode === "shell") return { mode };
  return {
    mode,
    commands: commands === null ? [] : [commands],
    files: files === null ? [] : [files],
    engagement: name,
    contact,
  };
}
