import { rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import {
  decodeIdentitiesAnswer,
  encodeRemoveIdentity,
  encodeRequestIdentities,
} from "@sallyport/core/ssh/agent-protocol.ts";
import type { Context } from "../context.ts";
import { readKeyState } from "../state/key-state.ts";
import { statePaths } from "../state/paths.ts";
import { askAgent } from "./agent-connection.ts";
import { isRenewable } from "./renewal-due.ts";

const ED25519_BYTES = 32;

/** Takes the key out of the agent and off the disk, with its certificate and what renews it. Nothing there is fine. */
export async function removeKey(context: Pick<Context, "home" | "env">): Promise<void> {
  const paths = statePaths(context.home);
  const key = readKeyState(paths.key);
  for (const file of [key?.file, key?.renewal?.file]) {
    if (!file) continue;
    rmSync(file, { force: true });
    // The directory that was made for it, and /dev/shm/sallyport-… around it. SALLYPORT_HOME is never empty here.
    removeIfEmpty(dirname(file));
    removeIfEmpty(dirname(dirname(file)));
  }
  if (key?.placement === "agent" && context.env.SSH_AUTH_SOCK) {
    await removeFromAgent(context.env.SSH_AUTH_SOCK, Buffer.from(key.publicKey, "base64"));
  }
  for (const path of [paths.validUntil, paths.key, paths.identity, paths.publicKey, paths.certificate])
    rmSync(path, { force: true });
}

/** Removes a key whose certificate has ended, unless it can be renewed; every command begins with this. */
export async function removeExpiredKey(context: Pick<Context, "home" | "env" | "now">): Promise<void> {
  const key = readKeyState(statePaths(context.home).key);
  const now = context.now() / 1000;
  if (key !== undefined && now >= key.validBefore && !isRenewable(key, now)) await removeKey(context);
}

/**
 * Takes out the key alone and with every certificate that it came with. An agent that is gone has forgotten them; one that
 * does not have a key says so, which is as good.
 */
async function removeFromAgent(socketPath: string, publicKey: Buffer): Promise<void> {
  // What only this key has of the blob: it stands in its certificates as well.
  const own = publicKey.subarray(-ED25519_BYTES);
  try {
    const held = decodeIdentitiesAnswer(await askAgent(socketPath, encodeRequestIdentities()));
    for (const { blob } of held.filter((each) => Buffer.from(each.blob).includes(own)))
      await askAgent(socketPath, encodeRemoveIdentity(blob));
  } catch {
    // No agent, or one that cannot be understood.
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Not empty: somebody else's files are in it.
  }
}
