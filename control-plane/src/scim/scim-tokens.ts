import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Clock, Log } from "../environment.ts";
import { errorFields } from "../log.ts";

const MIN_TOKEN = 32;
const MAX_TOKEN = 1000;
const MOST_TOKENS = 2;
/** How old a look at the file may be, in milliseconds. */
const LOOK_AGAIN = 1000;

/** The token file of one IdP. Only digests of what it says are kept. */
interface TokenFile {
  issuer: string;
  file: string;
  digests: readonly Buffer[];
  /** What tells one state of the file from another. */
  state: string;
  lookedAt: number;
}

/** Whose bearer token is whose. Files are read at the start, and again within a second of a change. */
export class ScimTokens {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #files: TokenFile[];

  /** Code `config-invalid`, naming the file. */
  constructor(files: readonly { issuer: string; file: string }[], clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#files = files.map(({ issuer, file }) => {
      const digests = readTokens(file);
      if (digests.length === 0) throw invalid(file, "has no token in it");
      return { issuer, file, digests, state: stateOf(file), lookedAt: clock() };
    });
    const all = this.#files.flatMap(({ digests }) => digests.map((digest) => digest.toString("hex")));
    if (new Set(all).size !== all.length)
      throw new SallyportError(
        "config-invalid",
        "Two IdPs have the same SCIM token, or a file has one twice: make another for each.",
      );
  }

  /** The issuer that a token is of, or undefined. Takes the same time whatever the token is. */
  issuerOf(token: string): string | undefined {
    const digest = digestOf(token);
    const issuers = this.#files
      .filter((one) => {
        this.#look(one);
        // All are compared: `some` would stop at the first.
        return one.digests.filter((known) => timingSafeEqual(known, digest)).length > 0;
      })
      .map(({ issuer }) => issuer);
    return issuers.length === 1 ? issuers[0] : undefined;
  }

  /** A file that cannot be read, half replaced perhaps, leaves the tokens as they were; one that is empty takes them away. */
  #look(one: TokenFile): void {
    const now = this.#clock();
    if (Math.abs(now - one.lookedAt) < LOOK_AGAIN) return;
    one.lookedAt = now;
    try {
      const state = stateOf(one.file);
      if (state === one.state) return;
      one.digests = readTokens(one.file);
      one.state = state;
      const fields = { issuer: one.issuer, file: one.file, tokens: one.digests.length };
      this.#log.info("new SCIM tokens", fields);
    } catch (error) {
      this.#log.error("SCIM tokens not read again, the old ones stay", errorFields(error));
    }
  }
}

/** Digests of the tokens in a file. Code `config-invalid`. */
function readTokens(file: string): Buffer[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new SallyportError("config-invalid", `The SCIM token in ${file} cannot be read.`, { cause });
  }
  const tokens = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (tokens.length > MOST_TOKENS) throw invalid(file, `has more than ${MOST_TOKENS} tokens`);
  for (const token of tokens) {
    if (token.length < MIN_TOKEN || token.length > MAX_TOKEN)
      throw invalid(file, `has a token that is not ${MIN_TOKEN} to ${MAX_TOKEN} characters long`);
    if (!/^[A-Za-z0-9._~+/=-]+$/.test(token))
      throw invalid(file, "has a token with characters that an Authorization header cannot carry");
  }
  return tokens.map(digestOf);
}

function invalid(file: string, what: string): SallyportError {
  return new SallyportError(
    "config-invalid",
    `The file ${file} of \`scim\` ${what}. Make one: openssl rand -hex 32`,
  );
}

function stateOf(file: string): string {
  const { mtimeMs, size, ino } = statSync(file);
  return `${mtimeMs} ${size} ${ino}`;
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
