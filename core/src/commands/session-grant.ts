import { z } from "zod";
import { FileGrant } from "../files/file-grant.ts";
import { DisplayText } from "../names.ts";
import type { Engagement, SessionMode } from "../policy/engagement.ts";
import type { LocalPolicy } from "../policy/local-policy.ts";
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

/** The mode that a session has where these local policies hold: a list of commands leaves nothing else of a shell. */
export function sessionMode(
  { mode }: Pick<Engagement, "mode">,
  locals: readonly Pick<LocalPolicy, "commands">[],
): SessionMode {
  return mode === "shell" && locals.some(({ commands }) => commands !== undefined) ? "commands" : mode;
}

/**
 * What an engagement, as `narrow` leaves it, makes of its sessions on a host with these local policies. A shell that becomes
 * single commands may run what the local lists all allow, and move the files that they grant: none where they speak of none.
 */
export function sessionGrant(engagement: Engagement, locals: readonly LocalPolicy[]): SessionGrant {
  const mode = sessionMode(engagement, locals);
  if (mode === "shell") return { mode };
  const own = { commands: engagement.commands ?? [], files: engagement.files ?? [] };
  const local = {
    commands: locals.flatMap(({ commands }) => commands ?? []),
    files: locals.flatMap(({ files }) => (files === undefined || files === "none" ? [] : [files])),
  };
  const mayMove =
    (engagement.mode === "shell" || engagement.files !== null) &&
    locals.every(({ files }) => files !== "none");
  const mayRun = mode === "commands" && (engagement.mode === "shell" || engagement.commands !== null);
  return {
    mode,
    commands: mayRun ? [own.commands, local.commands].flat() : [],
    files: mayMove ? [own.files, local.files].flat() : [],
    engagement: engagement.name,
    contact: engagement.contact,
  };
}
