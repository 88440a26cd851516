import { createHash } from "node:crypto";
import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { addApiToken } from "../database/api-tokens.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, randomToken, seconds } from "../environment.ts";

const LIFETIME = 12 * 3600;

/** The form in which a bearer token is stored: whoever reads the database can use none. */
export function tokenHash(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

/** Makes a bearer token for the API, good for 12 hours. */
export async function makeApiToken(
  needs: { db: Database; environment: Pick<Environment, "clock" | "random"> },
  token: VerifiedIdToken,
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
    created_at: now,
    expires_at: now + LIFETIME,
  });
  return { apiToken, apiTokenExpiresAt: now + LIFETIME };
}
