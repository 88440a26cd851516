import { askAgent } from "./agent-connection.ts";

// SSH_AGENTC_REQUEST_IDENTITIES, framed. By hand, because this runs before every ssh and the codec takes time to load.
const REQUEST_IDENTITIES = Uint8Array.of(0, 0, 0, 1, 11);

/** True when the agent at `socketPath` holds the key with this public key blob; false also when there is no agent. */
export async function agentHolds(socketPath: string | undefined, publicKey: Buffer): Promise<boolean> {
  if (!socketPath || publicKey.length === 0) return false;
  try {
    // The list of keys holds each blob as it is; a key is random enough not to be there by chance.
    return Buffer.from(await askAgent(socketPath, REQUEST_IDENTITIES)).includes(publicKey);
  } catch {
    return false;
  }
}
