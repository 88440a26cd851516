import { readFileSync } from "node:fs";
import { decodeSignResponse, encodeSignRequest } from "@sallyport/core/ssh/agent-protocol.ts";
import { parseOpenSshPrivateKey } from "@sallyport/core/ssh/private-key.ts";
import { parsePublicKeyBlob } from "@sallyport/core/ssh/public-key.ts";
import { signSsh } from "@sallyport/core/ssh/signature.ts";
import type { Context } from "../context.ts";
import type { KeyState } from "../state/key-state.ts";
import { askAgent } from "./agent-connection.ts";

/** Signs with the key at hand, wherever it is; undefined when it is not there any more. Returns an SSH signature blob. */
export async function signWithKey(
  key: KeyState,
  statement: Uint8Array,
  context: Pick<Context, "env">,
): Promise<Uint8Array | undefined> {
  try {
    if (key.file !== null) return signSsh(parseOpenSshPrivateKey(readFileSync(key.file, "utf8")), statement);
    const socket = context.env.SSH_AUTH_SOCK;
    if (!socket) return undefined;
    const publicKey = parsePublicKeyBlob(Buffer.from(key.publicKey, "base64"));
    return decodeSignResponse(await askAgent(socket, encodeSignRequest(publicKey, statement)));
  } catch {
    // A file that is gone or damaged, an agent that is gone or says no: it comes to the same.
    return undefined;
  }
}
