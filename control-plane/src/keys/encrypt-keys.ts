import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { readKeyFile, writeKeyFile } from "./key-file.ts";

/**
 * Encrypts every key file in `directory` that is not encrypted yet, each whole or not at all; returns those files. Code
 * `config-invalid` without a passphrase, with a short one, or with one that does not open what is encrypted already: then
 * nothing is changed.
 */
export function encryptKeys(directory: string, passphrase: string | undefined): string[] {
  if (passphrase === undefined)
    throw new SallyportError(
      "config-invalid",
      "There is no passphrase: name its file in SALLYPORT_KEYS_PASSPHRASE_FILE. One to use: openssl rand -base64 32",
    );
  const files = (existsSync(directory) ? readdirSync(directory) : [])
    .filter((name) => name.endsWith(".pem"))
    .map((name) => join(directory, name));
  if (files.length === 0)
    throw new SallyportError(
      "config-invalid",
      `There are no key files in ${directory}: check \`dataDirectory\` in the configuration, or start the control plane once; ` +
        "started with the passphrase, it makes encrypted ones.",
    );
  const plain = files
    .map((file) => ({ file, ...readKeyFile(file, passphrase) }))
    .filter(({ encrypted }) => !encrypted);
  for (const { file, privateKey } of plain) writeKeyFile(file, privateKey, passphrase);
  return plain.map(({ file }) => file);
}
