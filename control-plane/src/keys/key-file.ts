import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { writeDurably } from "./durable-file.ts";

/** OpenSSL derives the key by PBKDF2 with few rounds: the passphrase itself has to be long. */
const MIN_PASSPHRASE = 20;

/** A private key out of a file. */
export interface KeyFile {
  privateKey: KeyObject;
  encrypted: boolean;
}

/**
 * Reads a PKCS8 PEM file with an Ed25519 private key, encrypted (RFC 8018, PBES2) or not. Code `config-invalid` when
 * others than its owner may read it, the passphrase is missing or another, or it holds something else; the message
 * never repeats what it holds.
 */
export function readKeyFile(file: string, passphrase?: string): KeyFile {
  const descriptor = openSync(file, "r");
  try {
    const { mode } = fstatSync(descriptor);
    if ((mode & 0o077) !== 0) {
      throw invalid(
        `${file} has mode 0${(mode & 0o777).toString(8)}: others could read this key. If nobody did, run: chmod 600 ${file}`,
      );
    }
    return parseKey(readFileSync(descriptor, "utf8"), file, passphrase);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes an Ed25519 key and writes it, whole or not at all, with mode 0600; with a passphrase, encrypted. */
export function createKeyFile(file: string, passphrase?: string): KeyFile {
  const { privateKey } = generateKeyPairSync("ed25519");
  writeKeyFile(file, privateKey, passphrase);
  return { privateKey, encrypted: passphrase !== undefined };
}

/** Writes a key as PKCS8 PEM; with a passphrase encrypted by AES-256. Code `config-invalid` for a short passphrase. */
export function writeKeyFile(file: string, key: KeyObject, passphrase: string | undefined): void {
  if (passphrase !== undefined && passphrase.length < MIN_PASSPHRASE)
    throw invalid(
      `The passphrase has fewer than ${MIN_PASSPHRASE} characters, and nobody has to type it: make one with openssl rand -base64 32`,
    );
  const encryption = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  writeDurably(file, key.export({ format: "pem", type: "pkcs8", ...encryption }).toString());
}

function parseKey(pem: string, file: string, passphrase: string | undefined): KeyFile {
  const encrypted = pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----");
  if (encrypted && passphrase === undefined)
    throw invalid(
      `${file} is encrypted and there is no passphrase: name its file in SALLYPORT_KEYS_PASSPHRASE_FILE, or give systemd's credential keys-passphrase.`,
    );
  const key = decode(pem, file, encrypted ? passphrase : undefined);
  if (key.asymmetricKeyType !== "ed25519")
    throw invalid(`${file} holds a ${key.asymmetricKeyType} key; an Ed25519 key is needed.`);
  return { privateKey: key, encrypted };
}

function decode(pem: string, file: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch {
    throw invalid(
      passphrase === undefined
        ? `${file} is not a private key in PKCS8 PEM form; restore it from a backup.`
        : `${file} does not open with this passphrase, or is damaged; give the right one, or restore the file from a backup.`,
    );
  }
}

function invalid(message: string): SallyportError {
  return new SallyportError("config-invalid", message);
}
