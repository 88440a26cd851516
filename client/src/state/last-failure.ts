import { existsSync, rmSync } from "node:fs";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { z } from "zod";
import type { Context } from "../context.ts";
import { sentenceFor } from "../report-failure.ts";
import { readJsonFile, writeJsonFile } from "./json-file.ts";
import { statePaths } from "./paths.ts";

/** `last-failure.json`: the last sign-in that failed on this side, for `sallyport why`. */
const LastFailure = z.strictObject({
  v: z.literal(1),
  /** Milliseconds since the epoch. */
  at: z.number(),
  code: z.string().max(64),
  message: z.string().max(4000),
});
export type LastFailure = z.infer<typeof LastFailure>;

/** The last local failure since the last sign-in that worked. A file that is damaged counts as none. */
export function readLastFailure(context: Pick<Context, "home">): LastFailure | undefined {
  try {
    return readJsonFile(statePaths(context.home).lastFailure, LastFailure);
  } catch {
    return undefined;
  }
}

/** Keeps a failure, where there is a place to keep it: it is told to the user anyway. */
export function keepLastFailure(context: Pick<Context, "home" | "now">, error: unknown): void {
  if (!existsSync(context.home)) return;
  const code = isSallyportError(error) ? error.code : "internal";
  try {
    writeJsonFile(statePaths(context.home).lastFailure, {
      v: 1,
      at: context.now(),
      code,
      message: sentenceFor(error),
    });
  } catch {
    // The disk may be what failed.
  }
}

/** Forgets it, because a sign-in has worked since. */
export function clearLastFailure(context: Pick<Context, "home">): void {
  rmSync(statePaths(context.home).lastFailure, { force: true });
}
