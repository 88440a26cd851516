import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { writeDurably } from "./durable-file.ts";

/**
 * Reads a PKCS8 PEM file with an Ed25519 private key. Code `config-invalid` when others than its owner may read it,
 * or it holds something else; the message never repeats what it holds.
 */
export function readKeyFile(file: string): KeyObject {
  const descriptor = openSync(file, "r");
  try {
    const { mode } = fstatSync(descriptor);
    if ((mode & 0o077) !== 0) {
      throw new SallyportError(
        "config-invalid",
        `${file} has mode 0${(mode & 0o777).toString(8)}: others could read this key. If nobody did, run: chmod 600 ${file}`,
      );
    }
    return parseKey(readFileSync(descriptor, "utf8"), file);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes an Ed25519 key and writes it, whole or not at all, with mode 0600. */
export function createKeyFile(file: string): KeyObject {
  const { privateKey } = generateKeyPairSync("ed25519");
  writeDurably(file, privateKey.export({ format: "pem", type: "pkcs8" }).toString());
  return privateKey;
}

function parseKey(pem: string, file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new SallyportError(
      "config-invalid",
      `${file} is not a private key in PKCS8 PEM form; restore it from a backup.`,
    );
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new SallyportError(
      "config-invalid",
      `${file} holds a ${key.asymmetricKeyType} key; an Ed25519 key is needed.`,
    );
  }
  return key;
}
