import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";

const CREDENTIAL = "keys-passphrase";
const MAX_LENGTH = 1024;

/**
 * The passphrase of the key files: from the file that `SALLYPORT_KEYS_PASSPHRASE_FILE` names, else systemd's credential
 * `keys-passphrase` (systemd.exec(5), LoadCredential= and LoadCredentialEncrypted=); undefined where there is neither. It
 * never stands in the environment itself, which children inherit. Code `config-invalid`.
 */
export function readPassphrase(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { SALLYPORT_KEYS_PASSPHRASE_FILE: named, CREDENTIALS_DIRECTORY: directory } = env;
  const credential = directory === undefined ? undefined : join(directory, CREDENTIAL);
  const file = named ?? (credential !== undefined && existsSync(credential) ? credential : undefined);
  if (file === undefined) return undefined;
  const passphrase = readText(file).replace(/\r?\n$/, "");
  if (passphrase === "" || passphrase.length > MAX_LENGTH || /\p{Cc}/u.test(passphrase))
    throw new SallyportError(
      "config-invalid",
      `${file} does not hold a passphrase: one line of at most ${MAX_LENGTH} characters.`,
    );
  return passphrase;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
    throw new SallyportError(
      "config-invalid",
      `The passphrase of the key files cannot be read from ${file}${why}; check the path and its permissions.`,
      { cause },
    );
  }
}
