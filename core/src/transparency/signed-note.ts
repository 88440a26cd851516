import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { SallyportError } from "../errors.ts";
import { type Signer, signEd25519 } from "../ssh/signer.ts";
import { HASH_LENGTH } from "./hashing.ts";

/*
 * Signed notes of C2SP (c2sp.org/signed-note) with Ed25519, and verifier keys as golang.org/x/mod/sumdb/note writes
 * them. A note is text, a blank line, and signature lines; signatures of keys that nobody asked for are passed over.
 */

const ED25519 = 0x01;
/** C2SP asks for at least 16; witnesses add theirs. */
const MAX_SIGNATURES = 64;
const MAX_NOTE = 64 * 1024;
const SIGNATURE_LINE = /^\u2014 ([^\s+]{1,255}) ([A-Za-z0-9+/]+={0,2})$/u;

/** A public key with the name under which it signs. */
export interface VerifierKey {
  name: string;
  key: KeyObject;
}

/** The first 4 bytes of SHA-256(name, newline, 0x01, public key): tells apart keys of one name. */
export function keyId({ name, key }: VerifierKey): Buffer {
  const hash = createHash("sha256").update(`${name}\n`).update(Uint8Array.of(ED25519)).update(rawKey(key));
  return hash.digest().subarray(0, 4);
}

/** A key as one line, `name+id+key`: what verifiers are configured with. A name that no note can have is a `TypeError`. */
export function formatVerifierKey(verifier: VerifierKey): string {
  if (!isKeyName(verifier.name)) throw new TypeError("this is no name of a key");
  const key = Buffer.concat([Uint8Array.of(ED25519), rawKey(verifier.key)]).toString("base64");
  return `${verifier.name}+${keyId(verifier).toString("hex")}+${key}`;
}

/** Reads a line of {@link formatVerifierKey}. Code `log-malformed`, also when the id is not that of the key. */
export function parseVerifierKey(line: string): VerifierKey {
  const [, name = "", id, encoded = ""] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/su.exec(line) ?? [];
  const bytes = fromBase64(encoded);
  if (bytes?.[0] === ED25519 && bytes.length === 1 + HASH_LENGTH && isKeyName(name)) {
    const x = bytes.subarray(1).toString("base64url");
    const verifier = {
      name,
      key: createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } }),
    };
    if (keyId(verifier).toString("hex") === id) return verifier;
  }
  throw malformed("This is no verifier key; one looks like example.com/audit+1234abcd+AZ….");
}

/** Signs `text`, which ends with a newline. A text that no note can hold is a `TypeError`. */
export function signNote(text: string, name: string, privateKey: KeyObject): string {
  assertNote(text, name);
  return noteOf(text, { name, key: createPublicKey(privateKey) }, sign(null, Buffer.from(text), privateKey));
}

/** The same with a key that may be elsewhere. Rejects as the signer does, too. */
export async function signNoteWith(text: string, name: string, signer: Signer): Promise<string> {
  assertNote(text, name);
  return noteOf(text, { name, key: signer.publicKey.key }, await signEd25519(signer, Buffer.from(text)));
}

function assertNote(text: string, name: string): void {
  if (!isNoteText(text) || !isKeyName(name)) throw new TypeError("this cannot be signed as a note");
}

function noteOf(text: string, verifier: VerifierKey, signature: Uint8Array): string {
  const encoded = Buffer.concat([keyId(verifier), signature]).toString("base64");
  return `${text}\n\u2014 ${verifier.name} ${encoded}\n`;
}

/**
 * The text of a note that `verifier` signed. Codes `log-malformed`, and `log-bad-signature` when the key did not sign it
 * or its signature does not hold.
 */
export function openNote(note: string, verifier: VerifierKey): string {
  if (note.length > MAX_NOTE) throw malformed("The note is too long.");
  const end = note.lastIndexOf("\n\n");
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2).split("\n");
  if (
    end < 0 ||
    !isNoteText(text) ||
    lines.pop() !== "" ||
    lines.length === 0 ||
    lines.length > MAX_SIGNATURES
  )
    throw malformed("This is no signed note.");
  const signatures = lines.map(parseSignature);
  const id = keyId(verifier);
  const own = signatures.filter((each) => each.name === verifier.name && each.id.equals(id));
  if (own.length === 0) throw badSignature(`The note is not signed by ${verifier.name} with this key.`);
  for (const { signature } of own) {
    if (!verify(null, Buffer.from(text), verifier.key, signature))
      throw badSignature(`The signature of ${verifier.name} does not hold.`);
  }
  return text;
}

function parseSignature(line: string): { name: string; id: Buffer; signature: Buffer } {
  const [, name = "", encoded = ""] = SIGNATURE_LINE.exec(line) ?? [];
  const bytes = fromBase64(encoded);
  if (bytes === undefined || bytes.length <= 4) throw malformed("A signature line of the note is malformed.");
  return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** Standard base64 with padding, the one way to write it; undefined for anything else. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return text !== "" && bytes.toString("base64") === text ? bytes : undefined;
}

function isNoteText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a note must not have
  return text.endsWith("\n") && text.isWellFormed() && !/[\u0000-\u0009\u000b-\u001f]/.test(text);
}

function isKeyName(name: string): boolean {
  return /^[^\s+\p{Cc}]{1,255}$/u.test(name) && name.isWellFormed();
}

function rawKey(key: KeyObject): Buffer {
  const { x, crv } = key.export({ format: "jwk" });
  if (x === undefined || crv !== "Ed25519") throw new TypeError("an Ed25519 key is needed");
  return Buffer.from(x, "base64url");
}

function malformed(message: string): SallyportError {
  return new SallyportError("log-malformed", message);
}

function badSignature(message: string): SallyportError {
  return new SallyportError("log-bad-signature", message);
}
