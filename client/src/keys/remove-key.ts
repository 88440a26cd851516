import { rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { encodeRemoveIdentity } from "@sallyport/core/ssh/agent-protocol.ts";
import { parseCertificate } from "@sallyport/core/ssh/certificate.ts";
import type { Context } from "../context.ts";
import { readKeyState } from "../state/key-state.ts";
import { statePaths } from "../state/paths.ts";
import { askAgent } from "./agent-connection.ts";

/** Takes the key out of the agent and off the disk, with its certificate. Nothing there is fine. */
export async function removeKey(context: Pick<Context, "home" | "env">): Promise<void> {
  const paths = statePaths(context.home);
  const key = readKeyState(paths.key);
  if (key?.file) {
    rmSync(key.file, { force: true });
    // The directory that was made for it, and /dev/shm/sallyport-… around it. SALLYPORT_HOME is never empty here.
    removeIfEmpty(dirname(key.file));
    removeIfEmpty(dirname(dirname(key.file)));
  }
  if (key?.placement === "agent" && context.env.SSH_AUTH_SOCK) {
    await removeFromAgent(context.env.SSH_AUTH_SOCK, Buffer.from(key.certificate, "base64"));
  }
  for (const path of [paths.validUntil, paths.key, paths.identity, paths.publicKey, paths.certificate])
    rmSync(path, { force: true });
}

/** Removes a key whose certificate has ended; every command begins with this. */
export async function removeExpiredKey(context: Pick<Context, "home" | "env" | "now">): Promise<void> {
  const key = readKeyState(statePaths(context.home).key);
  if (key !== undefined && context.now() / 1000 >= key.validBefore) await removeKey(context);
}

/** An agent that is gone has forgotten the key; one that does not have it says so, which is as good. */
async function removeFromAgent(socketPath: string, certificate: Uint8Array): Promise<void> {
  for (const blob of [certificate, parseCertificate(certificate).publicKey.blob]) {
    await askAgent(socketPath, encodeRemoveIdentity(blob)).catch(() => undefined);
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Not empty: somebody else's files are in it.
  }
}
