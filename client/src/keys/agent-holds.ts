import { askAgent } from "./agent-connection.ts";

// SSH_AGENTC_REQUEST_IDENTITIES, framed. By hand, because this runs before every ssh and the codec takes time to load.
const REQUEST_IDENTITIES = Uint8Array.of(0, 0, 0, 1, 11);

/** True when the agent at `socketPath` holds the key with this certificate; false also when there is no agent. */
export async function agentHolds(socketPath: string | undefined, certificate: Buffer): Promise<boolean> {
  if (!socketPath || certificate.length === 0) return false;
  try {
    // The list of keys holds each blob as it is; a certificate is signed and random enough not to be there by chance.
    return Buffer.from(await askAgent(socketPath, REQUEST_IDENTITIES)).includes(certificate);
  } catch {
    return false;
  }
}
