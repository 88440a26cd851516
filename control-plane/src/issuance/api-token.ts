import { createHash } from "node:crypto";
import type { Assurance } from "@sallyport/core/admission/assurance.ts";
import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { audit } from "../audit/audit.ts";
import { addApiToken, deleteBootstrapTokens, listApiTokens } from "../database/api-tokens.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, randomToken, seconds } from "../environment.ts";
import type { TokenScope } from "../people/permissions.ts";
import { makeTokenSecret } from "./token-secret.ts";

const LIFETIME = 12 * 3600;
const BOOTSTRAP_LIFETIME = 3600;
const MAX_SCOPED_LIFETIME = 366 * 24 * 3600;
/** Tokens that one person may have at once. */
const MAX_TOKENS = 100;

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
}

/** A token that its maker sees once. Times in seconds since the epoch. */
export interface MadeToken {
  id: string;
  token: string;
  createdAt: number;
  expiresAt: number;
}

/** The form in which a bearer token is stored: whoever reads the database can use none. */
export function tokenHash(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

/** Makes a bearer token for the API, good for 12 hours. That of a brokered sign-in is never staff's. */
export async function makeApiToken(
  needs: Needs,
  token: VerifiedIdToken,
  assurance: Assurance,
): Promise<{ apiToken: string; apiTokenExpiresAt: number }> {
  const apiToken = randomToken(needs.environment.random, 32);
  const now = seconds(needs.environment.clock);
  const name = token.name ?? token.email ?? token.subject;
  await addApiToken(needs.db, {
    hash: tokenHash(apiToken),
    issuer: token.issuer,
    subject: token.subject,
    name: printable(name, 200),
    mfa: token.mfa,
    // What ends sign-ins is compared with this: by the IdP's clock as with certificates, and by ours where that one is ahead.
    created_at: Math.min(now, Math.floor(token.issuedAt)),
    expires_at: now + LIFETIME,
    ...(assurance === "brokered" && { kind: assurance }),
  });
  return { apiToken, apiTokenExpiresAt: now + LIFETIME };
}

/** Who makes a scoped token, and what of. */
export interface ScopedTokenWish {
  maker: { issuer: string; subject: string; name: string; mfa: string };
  /** How the audit log names them. */
  actor: string;
  name: string;
  scopes: readonly TokenScope[];
  expiresAt: number;
}

/**
 * Makes a token for a program of somebody's. It may do what its scopes and its maker's roles, as they are at each request, both
 * allow. Codes `message-malformed` for an end that is past or more than a year off, `conflict` for too many.
 */
export async function makeScopedToken({ db, environment }: Needs, wish: ScopedTokenWish): Promise<MadeToken> {
  const { maker, actor, name, scopes, expiresAt } = wish;
  const createdAt = seconds(environment.clock);
  if (expiresAt <= createdAt || expiresAt > createdAt + MAX_SCOPED_LIFETIME)
    throw new SallyportError("message-malformed", "A token ends later than now, and within a year.");
  const id = newId(environment, "tok");
  const token = makeTokenSecret(environment.random);
  return inTransaction(db, async (db) => {
    if ((await listApiTokens(db, maker, createdAt)).length >= MAX_TOKENS)
      throw new SallyportError("conflict", `You have ${MAX_TOKENS} tokens; revoke some that are not needed.`);
    await addApiToken(db, {
      hash: tokenHash(token),
      issuer: maker.issuer,
      subject: maker.subject,
      name: maker.name,
      mfa: maker.mfa,
      created_at: createdAt,
      expires_at: expiresAt,
      kind: "scoped",
      id,
      label: name,
      scopes_json: JSON.stringify(scopes),
    });
    await audit(db, environment, { type: "token-made", actor, data: { id, name, scopes, expiresAt } });
    return { id, token, createdAt, expiresAt };
  });
}

/**
 * Makes a token with an admin's permissions for an hour, for setting up before anybody can sign in; an earlier one ends. `url` is the
 * control plane's own.
 */
export async function makeBootstrapToken({ db, environment }: Needs, url: string): Promise<MadeToken> {
  const createdAt = seconds(environment.clock);
  const expiresAt = createdAt + BOOTSTRAP_LIFETIME;
  const id = newId(environment, "tok");
  const token = makeTokenSecret(environment.random);
  return inTransaction(db, async (db) => {
    await deleteBootstrapTokens(db);
    await addApiToken(db, {
      hash: tokenHash(token),
      issuer: url,
      subject: "bootstrap",
      name: "bootstrap token",
      mfa: "none",
      created_at: createdAt,
      expires_at: expiresAt,
      kind: "bootstrap",
      id,
      label: "bootstrap",
    });
    const data = { id, expiresAt };
    await audit(db, environment, { type: "bootstrap-token-made", actor: "command line", data });
    return { id, token, createdAt, expiresAt };
  });
}
