import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { createKeyFile, readKeyFile } from "./key-file.ts";

/**
 * The keys of the control plane. Who has `userCa` can sign user certificates (and still needs an IdP's token); who has
 * `hostCa` can pretend to be a server; who has `policy` can grant access. Losing one means enrolling every host anew.
 */
export interface Keys {
  userCa: KeyObject;
  hostCa: KeyObject;
  policy: { privateKey: KeyObject; kid: string; x: string };
}

const NAMES = ["user-ca", "host-ca", "policy"] as const;

/**
 * Reads the keys in `directory`, making all of them where there are none. Code `config-invalid` when some are missing,
 * or all are and there is a database already: new keys would lock every enrolled host out.
 */
export function openKeys(directory: string, database: { file: string; exists: boolean }): Keys {
  const files = NAMES.map((name) => join(directory, `${name}.pem`));
  const missing = files.filter((file) => !existsSync(file));
  if (missing.length === NAMES.length && !database.exists) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return assemble(files.map(createKeyFile));
  }
  if (missing.length > 0) {
    const other = database.exists ? `the database ${database.file}` : `other keys in ${directory}`;
    throw new SallyportError(
      "config-invalid",
      `${missing.join(" and ")} missing, but ${other} is there. Hosts trust the old keys: restore them from a backup, ` +
        "or start anew with an empty dataDirectory.",
    );
  }
  return assemble(files.map(readKeyFile));
}

/** A key's line for `TrustedUserCAKeys` or `@cert-authority`. */
export function caLine(key: KeyObject, comment: string): string {
  return formatPublicKeyLine(publicKeyFromKeyObject(key), comment);
}

function assemble([userCa, hostCa, policy]: KeyObject[]): Keys {
  if (userCa === undefined || hostCa === undefined || policy === undefined)
    throw new TypeError("three keys are needed");
  const { x = "" } = createPublicKey(policy).export({ format: "jwk" });
  const kid = createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest("base64url");
  return { userCa, hostCa, policy: { privateKey: policy, kid, x } };
}
