import type { Socket } from "node:net";
import { type PeerCredentials, peerCredentials } from "./system-calls.ts";

/** Who connected to a Unix socket, as the kernel noted it at connect(2). Throws when the connection is gone already. */
export function socketCredentials(socket: Socket): PeerCredentials {
  // Node shows no descriptor of a socket; this member has been there since its beginning.
  const { _handle: handle } = socket as unknown as { _handle: { fd: number } | null };
  if (handle === null) throw new Error("the connection is gone");
  return peerCredentials(handle.fd);
}
