import type { Paths } from "../configuration/paths.ts";
import { askStatus } from "./ask-status.ts";
import { statusText } from "./status-text.ts";

/** Exit status when no agent runs; the same that `systemctl status` has. */
export const NOT_RUNNING = 3;

export const NOT_RUNNING_TEXT =
  "The agent does not run on this host. Contractors cannot log in; administrators and their keys are not affected, and sessions that are open go on being recorded. Start it: systemctl start sallyport-agent (or: sallyport-agent run). If it ends again, ask: sallyport-agent doctor";

export interface StatusCommand {
  paths: Paths;
  json: boolean;
  /** Seconds since the epoch. */
  now(): number;
  write(text: string): void;
  say(sentence: string): void;
}

/** `sallyport-agent status`: asks the running agent and prints what it says. Resolves with the exit status. */
export async function statusCommand({ paths, json, now, write, say }: StatusCommand): Promise<number> {
  const status = await askStatus(paths.statusSocket);
  if (status === null) {
    say(NOT_RUNNING_TEXT);
    return NOT_RUNNING;
  }
  write(json ? `${JSON.stringify(status, null, 2)}\n` : statusText(status, now()));
  return 0;
}
