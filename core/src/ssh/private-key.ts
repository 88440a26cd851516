import { createPrivateKey, type KeyObject } from "node:crypto";
import { assertComment } from "./key-line.ts";
import { publicKeyFromKeyObject } from "./public-key.ts";
import { malformed, SshReader, SshWriter } from "./wire.ts";

/** Block size that the cipher "none" pads to. */
const BLOCK = 8;
const LINE_LENGTH = 70;

/**
 * Writes an Ed25519 private key as an OpenSSH private key file (PROTOCOL.key), not encrypted: whoever stores it must
 * give it mode 0600. `checkInt` is any uint32, by custom random. Another key, or a comment that is not printable
 * ASCII, is a `TypeError`.
 */
export function formatOpenSshPrivateKey(privateKey: KeyObject, comment: string, checkInt: number): string {
  assertComment(comment);
  const list = new SshWriter().uint32(checkInt).uint32(checkInt);
  list.text("ssh-ed25519").raw(ed25519PrivateFields(privateKey)).text(comment);
  const file = new SshWriter()
    .raw(Buffer.from("openssh-key-v1\0"))
    .text("none") // cipher
    .text("none") // key derivation
    .text("") // and its options
    .uint32(1) // keys
    .string(publicKeyFromKeyObject(privateKey).blob)
    .string(pad(list.bytes()))
    .bytes();
  const lines =
    Buffer.from(file)
      .toString("base64")
      .match(new RegExp(`.{1,${LINE_LENGTH}}`, "g")) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join(
    "\n",
  );
}

const FILE =
  /^-----BEGIN OPENSSH PRIVATE KEY-----\n([A-Za-z0-9+/=\n]{1,10000})\n-----END OPENSSH PRIVATE KEY-----\n$/;

/** Reads what {@link formatOpenSshPrivateKey} writes, and no other file. Code `ssh-malformed`. */
export function parseOpenSshPrivateKey(text: string): KeyObject {
  const base64 = FILE.exec(text)?.[1];
  if (base64 === undefined) throw malformed("This is no OpenSSH private key file.");
  const magic = Buffer.from("openssh-key-v1\0");
  const bytes = Buffer.from(base64, "base64");
  if (!bytes.subarray(0, magic.length).equals(magic)) throw malformed("This is no OpenSSH private key file.");
  const file = new SshReader(bytes.subarray(magic.length));
  const isOurs =
    file.text() === "none" && file.text() === "none" && file.text() === "" && file.uint32() === 1;
  if (!isOurs) throw malformed("The private key is encrypted, or not the only one.");
  file.string();
  const list = new SshReader(file.string());
  const [checkInt, again] = [list.uint32(), list.uint32()];
  if (checkInt !== again || list.text() !== "ssh-ed25519") throw malformed("This is no Ed25519 private key.");
  const x = Buffer.from(list.string(32)).toString("base64url");
  const d = Buffer.from(list.string(64).subarray(0, 32)).toString("base64url");
  try {
    return createPrivateKey({ key: { kty: "OKP", crv: "Ed25519", x, d }, format: "jwk" });
  } catch (cause) {
    throw malformed("The private key does not fit its public key.", cause);
  }
}

/**
 * The two fields of an Ed25519 private key in key files and agents: the public key, then the seed with the public
 * key behind it (draft-ietf-sshm-ssh-agent, "EdDSA keys"). Another kind of key is a `TypeError`.
 */
export function ed25519PrivateFields(privateKey: KeyObject): Uint8Array {
  if (privateKey.type !== "private" || privateKey.asymmetricKeyType !== "ed25519") {
    throw new TypeError("an Ed25519 private key is needed here");
  }
  const { d = "", x = "" } = privateKey.export({ format: "jwk" });
  const seed = Buffer.from(d, "base64url");
  const publicKey = Buffer.from(x, "base64url");
  return new SshWriter()
    .string(publicKey)
    .string(Buffer.concat([seed, publicKey]))
    .bytes();
}

function pad(bytes: Uint8Array): Uint8Array {
  const padding = Array.from({ length: (BLOCK - (bytes.length % BLOCK)) % BLOCK }, (_, index) => index + 1);
  return new SshWriter().raw(bytes).raw(Uint8Array.from(padding)).bytes();
}
