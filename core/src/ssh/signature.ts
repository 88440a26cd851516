import { type KeyObject, sign, verify } from "node:crypto";
import { SallyportError } from "../errors.ts";
import { ecCurve, type SshKeyType } from "./key-type.ts";
import { publicKeyFromKeyObject, type SshPublicKey } from "./public-key.ts";
import { malformed, SshReader, SshWriter } from "./wire.ts";

/** A signature taken apart: the hash that node:crypto must use (null for Ed25519), and the bytes in its form. */
export type SshSignature = { hash: string | null; bytes: Uint8Array };

/**
 * Signature algorithms of each key type (RFC 8709 §5, RFC 5656 §3.1.2, RFC 8332 §3) and their hashes. `ssh-rsa`
 * itself, which is RSA with SHA-1, is missing on purpose.
 */
const ALGORITHMS: Record<SshKeyType, Record<string, string | null>> = {
  "ssh-ed25519": { "ssh-ed25519": null },
  "ecdsa-sha2-nistp256": { "ecdsa-sha2-nistp256": "sha256" },
  "ecdsa-sha2-nistp384": { "ecdsa-sha2-nistp384": "sha384" },
  "ecdsa-sha2-nistp521": { "ecdsa-sha2-nistp521": "sha512" },
  "ssh-rsa": { "rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512" },
};

/**
 * Signs `data` and returns an SSH signature blob: algorithm name and signature, as RFC 4253 §6.6 has it. RSA signs
 * with rsa-sha2-512. Code `ssh-unsupported` for a key that SSH cannot use; a public key is a `TypeError`.
 */
export function signSsh(privateKey: KeyObject, data: Uint8Array): Uint8Array {
  if (privateKey.type !== "private") throw new TypeError("signing needs a private key");
  const { type } = publicKeyFromKeyObject(privateKey);
  if (type === "ssh-ed25519") return signature(type, sign(null, data, privateKey));
  if (type === "ssh-rsa") return signature("rsa-sha2-512", sign("sha512", data, privateKey));
  const hash = ALGORITHMS[type][type];
  const rs = sign(hash, data, { key: privateKey, dsaEncoding: "ieee-p1363" });
  const half = rs.length / 2;
  return signature(
    type,
    new SshWriter()
      .mpint(unsigned(rs.subarray(0, half)))
      .mpint(unsigned(rs.subarray(half)))
      .bytes(),
  );
}

/**
 * Returns when `signatureBlob` is `key`'s signature over `data`, and throws otherwise. Codes: `ssh-bad-signature`,
 * and those of {@link parseSignature}.
 */
export function verifySsh(key: SshPublicKey, data: Uint8Array, signatureBlob: Uint8Array): void {
  const { hash, bytes } = parseSignature(key, signatureBlob);
  if (!isValid(key.key, data, hash, bytes)) {
    throw new SallyportError("ssh-bad-signature", "The signature was not made by this key over these bytes.");
  }
}

/**
 * Takes a signature blob apart without checking the signature. Codes: `ssh-malformed`, also for an algorithm that
 * belongs to another type of key; `ssh-unsupported` for an unknown algorithm and for `ssh-rsa`, which is SHA-1.
 */
export function parseSignature(key: SshPublicKey, signatureBlob: Uint8Array): SshSignature {
  const reader = new SshReader(signatureBlob);
  const algorithm = reader.text();
  const bytes = reader.string();
  reader.end();
  const hash = Object.hasOwn(ALGORITHMS[key.type], algorithm) ? ALGORITHMS[key.type][algorithm] : undefined;
  if (hash === undefined) throw wrongAlgorithm(algorithm);
  return { hash, bytes: formForNode(key, bytes) };
}

function wrongAlgorithm(algorithm: string): SallyportError {
  const known = Object.values(ALGORITHMS).some((algorithms) => Object.hasOwn(algorithms, algorithm));
  if (known) return malformed("The signature's algorithm does not belong to its key's type.");
  return new SallyportError("ssh-unsupported", "The signature is of an unknown or a SHA-1 algorithm.");
}

function formForNode(key: SshPublicKey, bytes: Uint8Array): Uint8Array {
  const curve = ecCurve(key.type);
  if (curve) return fixedSizeEcdsa(bytes, curve.size);
  if (key.type === "ssh-rsa") return padded(bytes, Math.ceil(modulusBits(key) / 8));
  if (bytes.length !== 64) throw malformed(`An Ed25519 signature has 64 bytes, not ${bytes.length}.`);
  return bytes;
}

/** RFC 5656's two mpints to the `r || s` of IEEE P1363. */
function fixedSizeEcdsa(bytes: Uint8Array, size: number): Uint8Array {
  const reader = new SshReader(bytes);
  const numbers = [reader.mpint(), reader.mpint()];
  reader.end();
  const halves = numbers.map((number) => {
    if (number <= 0n) throw malformed("A number of an ECDSA signature is not positive.");
    const hex = number.toString(16);
    return padded(Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex"), size);
  });
  return Buffer.concat(halves);
}

/** With zeros in front, `size` bytes: some RSA signers leave them out, and OpenSSH allows for it. */
function padded(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length > size) throw malformed("A signature is longer than its key allows.");
  return Buffer.concat([new Uint8Array(size - bytes.length), bytes]);
}

function isValid(key: KeyObject, data: Uint8Array, hash: string | null, bytes: Uint8Array): boolean {
  try {
    return verify(hash, data, { key, dsaEncoding: "ieee-p1363" }, bytes);
  } catch (cause) {
    throw new SallyportError("ssh-bad-signature", "The signature could not be checked.", { cause });
  }
}

function modulusBits(key: SshPublicKey): number {
  const bits = key.key.asymmetricKeyDetails?.modulusLength;
  if (bits === undefined) throw new TypeError("the key object does not belong to an ssh-rsa key");
  return bits;
}

function signature(algorithm: string, bytes: Uint8Array): Uint8Array {
  return new SshWriter().text(algorithm).string(bytes).bytes();
}

function unsigned(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}
