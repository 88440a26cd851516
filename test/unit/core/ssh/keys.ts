import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { SshKeyType } from "@sallyport/core/ssh/key-type.ts";
import { publicKeyFromKeyObject, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";

/** One key pair of every type, made once for all tests of this folder. */
export type KeyPair = { type: SshKeyType; privateKey: KeyObject; publicKey: SshPublicKey };

function pair(privateKey: KeyObject): KeyPair {
  const publicKey = publicKeyFromKeyObject(privateKey);
  return { type: publicKey.type, privateKey, publicKey };
}

export function freshEd25519(): KeyPair {
  return pair(generateKeyPairSync("ed25519").privateKey);
}

/** A private key from a fixed seed, where a test needs the same one every time. */
export function ed25519FromSeed(seed: Uint8Array): KeyPair {
  const prefix = Buffer.from("302e020100300506032b657004220420", "hex"); // PKCS #8 for a 32-byte seed, RFC 8410 §7
  return pair(createPrivateKey({ key: Buffer.concat([prefix, seed]), format: "der", type: "pkcs8" }));
}

export const ed25519 = freshEd25519();
export const nistp256 = pair(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
export const nistp384 = pair(generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey);
const nistp521 = pair(generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey);
export const rsa = pair(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);

export const everyKey: KeyPair[] = [ed25519, nistp256, nistp384, nistp521, rsa];
