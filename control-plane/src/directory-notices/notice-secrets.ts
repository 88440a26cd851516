import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";

const [SHORTEST, LONGEST] = [24, 255];

/** The secrets that notices of each IdP's directory carry. */
export class NoticeSecrets {
  readonly #digests: readonly { issuer: string; digest: Buffer }[];

  /** Reads the files. Code `config-invalid` for one that cannot be read, is too short, or is another's too. */
  constructor(issuers: readonly Pick<IssuerConfiguration, "issuer" | "directoryNotices">[]) {
    this.#digests = issuers.flatMap(({ issuer, directoryNotices }) =>
      directoryNotices === undefined
        ? []
        : [{ issuer, digest: digestOf(readSecret(directoryNotices.secretFile)) }],
    );
    const distinct = new Set(this.#digests.map(({ digest }) => digest.toString("hex")));
    if (distinct.size < this.#digests.length)
      throw new SallyportError(
        "config-invalid",
        "Two issuers have the same secret for directory notices: whose they are could not be told.",
      );
  }

  /** True where no IdP sends notices. */
  get isEmpty(): boolean {
    return this.#digests.length === 0;
  }

  /** Whose secret this is. It takes the same time whatever it is. */
  issuerOf(secret: string): string | undefined {
    const given = digestOf(secret);
    let found: string | undefined;
    for (const { issuer, digest } of this.#digests) if (timingSafeEqual(digest, given)) found = issuer;
    return found;
  }
}

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

function readSecret(file: string): string {
  let secret: string;
  try {
    secret = readFileSync(file, "utf8").trimEnd();
  } catch (cause) {
    throw new SallyportError("config-invalid", `The secret of directory notices in ${file} cannot be read.`, {
      cause,
    });
  }
  const { length } = Buffer.from(secret);
  if (length >= SHORTEST && length <= LONGEST) return secret;
  throw new SallyportError(
    "config-invalid",
    `The secret of directory notices in ${file} has ${length} bytes; it needs ${SHORTEST} to ${LONGEST}.`,
  );
}
