import { CommandSession } from "./command-session.ts";
import type { Opening } from "./opening.ts";
import { PromptSession } from "./prompt-session.ts";
import { refusedSession } from "./refused-sftp-session.ts";
import type { Session, SessionContext } from "./session.ts";
import { startTransfer } from "./start-transfer.ts";
import type { Terminal } from "./terminal.ts";
import { TerminalSession } from "./terminal-session.ts";

/** The session that was decided on; `terminal` where its program needs one. It starts with its `begin`. */
export function startSession(
  context: SessionContext,
  opening: Opening,
  terminal: Terminal | undefined,
  window: { columns: number; rows: number },
): Session {
  switch (opening.kind) {
    case "program":
      return terminal === undefined
        ? new CommandSession(context, opening.allowed)
        : new TerminalSession(context, terminal, opening.allowed);
    case "prompt":
      return new PromptSession(context, opening.judge, window);
    case "files":
      return startTransfer(context, opening);
    case "refused":
      return refusedSession(context, opening.event, opening.text);
  }
}
