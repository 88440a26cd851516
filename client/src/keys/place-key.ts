import { type KeyObject, randomBytes } from "node:crypto";
import { join } from "node:path";
import { encodeAddIdentity, isSuccess } from "@sallyport/core/ssh/agent-protocol.ts";
import { formatOpenSshPrivateKey } from "@sallyport/core/ssh/private-key.ts";
import type { Context } from "../context.ts";
import { writeDurably } from "../state/durable-file.ts";
import { askAgent } from "./agent-connection.ts";
import { keyDirectories, makePrivateDirectory } from "./private-directory.ts";

/** A private key and its certificate, as the sign-in made them. */
export interface CertifiedKey {
  privateKey: KeyObject;
  certificate: Uint8Array;
  comment: string;
  /** Life of the certificate. */
  lifetimeSeconds: number;
  /** Life of the key itself, longer where its certificate is renewed: without one it opens nothing. */
  keyLifetimeSeconds: number;
}

/** Where the key went: into the agent, or into this file. */
export type Placement = { placement: "agent"; file: null } | { placement: "file"; file: string };

/**
 * Puts the key into the running ssh-agent, which forgets it when the certificate ends; without an agent that takes it,
 * into a file, in memory where the system has such a place.
 */
export async function placeKey(
  key: CertifiedKey,
  context: Pick<Context, "env" | "uid" | "home">,
): Promise<Placement> {
  if (await offerToAgent(key, context.env.SSH_AUTH_SOCK)) return { placement: "agent", file: null };
  const text = formatOpenSshPrivateKey(key.privateKey, key.comment, randomBytes(4).readUInt32BE());
  for (const parts of keyDirectories(context.env, context.uid, context.home)) {
    const directory = makePrivateDirectory(parts, context.uid);
    if (directory === undefined) continue;
    const file = join(directory, "id_ed25519");
    writeDurably(file, text);
    return { placement: "file", file };
  }
  throw new Error("no directory for the private key");
}

/**
 * Adds the key twice, as ssh-add does: alone, because ssh signs for a `CertificateFile` with the bare key; and with its
 * certificate, for programs that know the agent only. Those have the first certificate: an agent takes another one only
 * with the private key, which nobody but the agent has by then.
 */
async function offerToAgent(key: CertifiedKey, socketPath: string | undefined): Promise<boolean> {
  if (!socketPath) return false;
  const { privateKey, certificate, comment, lifetimeSeconds, keyLifetimeSeconds } = key;
  const bare = encodeAddIdentity({ privateKey, comment, lifetimeSeconds: keyLifetimeSeconds });
  const certified = encodeAddIdentity({ privateKey, certificate, comment, lifetimeSeconds });
  try {
    return isSuccess(await askAgent(socketPath, bare)) && isSuccess(await askAgent(socketPath, certified));
  } catch {
    // No agent, or one that takes no keys (some desktops' own): a file does as well.
    return false;
  }
}
