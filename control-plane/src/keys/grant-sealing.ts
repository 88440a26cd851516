import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { inTransaction } from "../database/open-database.ts";
import {
  addSealingKey,
  loseGrantsSealedOtherwise,
  sealingKeyId,
  sealsGrants,
} from "../database/sealing-keys.ts";
import type { Database } from "../database/tables.ts";
import { createKeyFile, type KeyFile, readKeyFile } from "./key-file.ts";

const NAME = "refresh-tokens";
const FILES = /^refresh-tokens(-[0-9a-f]{8})?\.pem$/;
const CIPHER = "aes-256-gcm";
const [IV, TAG] = [12, 16];

/**
 * Seals refresh tokens, so that who has the database without the key files has none: AES-256-GCM, with what belongs to the
 * token as associated data, so that none can be put in another's place. The key is derived (HKDF-SHA256) from that of a file
 * like all others here, so that it is kept, encrypted and backed up like them.
 */
export class GrantSealing {
  readonly #keys: ReadonlyMap<string, Buffer>;
  /** The key that seals. */
  readonly kid: string;

  constructor(keys: ReadonlyMap<string, Buffer>, kid: string) {
    this.#keys = keys;
    this.kid = kid;
  }

  seal(secret: string, belongsTo: readonly string[]): string {
    const iv = randomBytes(IV); // never from a clock or a test's chance: one used twice would open both
    const cipher = createCipheriv(CIPHER, this.#key(this.kid), iv).setAAD(associated(this.kid, belongsTo));
    const bytes = Buffer.concat([iv, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `v1.${this.kid}.${bytes.toString("base64url")}`;
  }

  /** Code `config-invalid` when the key is not here, or it was sealed for something else. */
  open(sealed: string, belongsTo: readonly string[]): string {
    const [version, kid = "", text = ""] = sealed.split(".");
    const bytes = Buffer.from(text, "base64url");
    if (version !== "v1" || bytes.length < IV + TAG) throw unopened();
    const decipher = createDecipheriv(CIPHER, this.#key(kid), bytes.subarray(0, IV), { authTagLength: TAG })
      .setAAD(associated(kid, belongsTo))
      .setAuthTag(bytes.subarray(-TAG));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(IV, -TAG)), decipher.final()]).toString("utf8");
    } catch {
      throw unopened();
    }
  }

  #key(kid: string): Buffer {
    const key = this.#keys.get(kid);
    if (key === undefined) throw unopened();
    return key;
  }
}

/**
 * Opens the keys that refresh tokens are sealed with, and makes the first where there is none. Which one seals is in the
 * database, so that replicas agree. Code `config-invalid` when its file is not here and something is sealed with it.
 */
export async function openGrantSealing(
  db: Database,
  directory: string,
  passphrase?: string,
): Promise<GrantSealing> {
  return inTransaction(db, async (db) => {
    const keys = readKeys(directory, passphrase);
    const wanted = await sealingKeyId(db);
    if (wanted !== undefined && keys.has(wanted)) return new GrantSealing(keys, wanted);
    if (wanted !== undefined && (await sealsGrants(db, wanted))) throw missing(directory);
    const [kid, key] = [...keys].at(-1) ?? makeKey(directory, passphrase);
    await addSealingKey(db, kid);
    return new GrantSealing(new Map([...keys, [kid, key]]), kid);
  });
}

/**
 * Makes another key, which seals from the next start on; what older keys have sealed is sealed anew as it is used. What was sealed with a
 * key that is not here is lost: how many that were. `now` in milliseconds.
 */
export async function renewGrantSealing(
  db: Database,
  directory: string,
  { now, passphrase }: { now: number; passphrase?: string | undefined },
): Promise<number> {
  return inTransaction(db, async (db) => {
    const known = [...readKeys(directory, passphrase).keys()];
    const [kid] = makeKey(directory, passphrase);
    await addSealingKey(db, kid);
    return loseGrantsSealedOtherwise(db, known, now);
  });
}

function readKeys(directory: string, passphrase: string | undefined): Map<string, Buffer> {
  const names = existsSync(directory) ? readdirSync(directory).filter((name) => FILES.test(name)) : [];
  return new Map(names.map((name) => keyOf(readKeyFile(join(directory, name), passphrase))));
}

function makeKey(directory: string, passphrase: string | undefined): [kid: string, key: Buffer] {
  const first = join(directory, `${NAME}.pem`);
  const file = existsSync(first) ? join(directory, `${NAME}-${randomBytes(4).toString("hex")}.pem`) : first;
  return keyOf(createKeyFile(file, passphrase));
}

/** The seed of the file's Ed25519 key is what others are derived from; that key itself signs nothing. */
function keyOf({ privateKey }: KeyFile): [kid: string, key: Buffer] {
  const seed = Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url");
  const derive = (what: string, length: number) =>
    Buffer.from(hkdfSync("sha256", seed, new Uint8Array(), `sallyport-grants-v1 ${what}`, length));
  return [derive("id", 9).toString("base64url"), derive("key", 32)];
}

function associated(kid: string, belongsTo: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify([kid, ...belongsTo]));
}

function unopened(): SallyportError {
  return new SallyportError(
    "config-invalid",
    `A stored refresh token does not open with the keys ${NAME}*.pem that are here: restore those files from a backup.`,
  );
}

function missing(directory: string): SallyportError {
  return new SallyportError(
    "config-invalid",
    `The key that stored refresh tokens are sealed with is missing: restore ${join(directory, NAME)}*.pem from a backup, or copy ` +
      "them from another replica. Are they lost for good, make a new one with renew-grant-key: everybody signs in again then.",
  );
}
