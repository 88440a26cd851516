import { isSallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Context } from "./context.ts";

/** The sentence that a person gets for an error: ours as they are, those of the system with what they are about. */
export function sentenceFor(error: unknown): string {
  // One mistake of a file on each line.
  if (isSallyportError(error, "config-invalid"))
    return error.message
      .split("\n")
      .map((line) => printable(line, 2000))
      .join("\n");
  if (isSallyportError(error)) return printable(error.message, 2000);
  const message = error instanceof Error ? error.message : String(error);
  return printable(`Something went wrong: ${message}. Set SALLYPORT_DEBUG=1 to see where.`, 2000);
}

/** Prints the one sentence on standard error; with `SALLYPORT_DEBUG` set, the stack and its causes as well. */
export function reportFailure(context: Pick<Context, "env" | "stderr">, error: unknown): void {
  context.stderr.write(`sallyport: ${sentenceFor(error)}\n`);
  if (!context.env.SALLYPORT_DEBUG) return;
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    for (const line of (cause.stack ?? cause.message).split("\n"))
      context.stderr.write(`  ${printable(line)}\n`);
  }
}
