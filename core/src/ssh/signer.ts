import type { KeyObject } from "node:crypto";
import { publicKeyFromKeyObject, type SshPublicKey } from "./public-key.ts";
import { parseSignature, signSsh } from "./signature.ts";

/** A private key that signs, wherever it is: in memory, or where it cannot be taken from, such as in an ssh-agent. */
export interface Signer {
  publicKey: SshPublicKey;
  /** The SSH signature blob over `data`, see `signature.ts`. */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/** A signer of a key in memory. Code `ssh-unsupported` for a key that SSH cannot use; a public key is a `TypeError`. */
export function keySigner(privateKey: KeyObject): Signer {
  if (privateKey.type !== "private") throw new TypeError("signing needs a private key");
  return {
    publicKey: publicKeyFromKeyObject(privateKey),
    sign: async (data) => signSsh(privateKey, data),
  };
}

/** A plain Ed25519 signature (RFC 8032), 64 bytes: what an SSH signature of such a key holds. A `TypeError` for another key. */
export async function signEd25519(signer: Signer, data: Uint8Array): Promise<Uint8Array> {
  if (signer.publicKey.type !== "ssh-ed25519") throw new TypeError("an Ed25519 key is needed");
  return parseSignature(signer.publicKey, await signer.sign(data)).bytes;
}
