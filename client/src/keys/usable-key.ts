import { existsSync } from "node:fs";
import type { Context } from "../context.ts";
import { type KeyState, readKeyState } from "../state/key-state.ts";
import { statePaths } from "../state/paths.ts";
import { agentHolds } from "./agent-holds.ts";

/** A certificate must be good for so many seconds more: a login takes a moment. */
export const MARGIN_SECONDS = 30;

/** The key at hand, if its certificate is valid now and a moment longer and the key itself is still there. */
export async function usableKey(
  context: Pick<Context, "home" | "env" | "now">,
): Promise<KeyState | undefined> {
  const key = readKeyState(statePaths(context.home).key);
  if (key === undefined) return undefined;
  const now = context.now() / 1000;
  if (now < key.validAfter || now > key.validBefore - MARGIN_SECONDS) return undefined;
  if (key.file !== null) return existsSync(key.file) ? key : undefined;
  return (await agentHolds(context.env.SSH_AUTH_SOCK, Buffer.from(key.publicKey, "base64")))
    ? key
    : undefined;
}
