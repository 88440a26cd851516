import { SallyportError } from "@sallyport/core/errors.ts";
import type { WebCode } from "@sallyport/core/messages/recordings.ts";
import { audit } from "../audit/audit.ts";
import { findApiToken } from "../database/api-tokens.ts";
import { inTransaction } from "../database/open-database.ts";
import {
  addWebCode,
  addWebSession,
  deleteWebSession,
  findWebCode,
  findWebSession,
  takeWebCode,
} from "../database/web-sessions.ts";
import { randomToken, seconds } from "../environment.ts";
import { actorName, type Caller, callerOf } from "../http/caller.ts";
import type { Services } from "../http/services.ts";
import { tokenHash } from "../issuance/api-token.ts";

/** How long a code is good, and how long a browser stays signed in, in seconds. */
const CODE_LIFETIME = 60;
const SESSION_LIFETIME = 3600;

type Needs = Pick<Services, "db" | "environment" | "config">;

/** A browser that is signed in. */
export interface WebSession {
  caller: Caller;
  /** Seconds since the epoch. */
  expiresAt: number;
}

/** Makes a code with which one browser may sign in, once, as this caller. */
export async function makeWebCode({ db, environment, config }: Needs, caller: Caller): Promise<WebCode> {
  const code = randomToken(environment.random, 32);
  const now = seconds(environment.clock);
  const expiresAt = now + CODE_LIFETIME;
  await addWebCode(db, { hash: tokenHash(code), token_hash: caller.tokenHash, expires_at: expiresAt }, now);
  return { code, page: `${config.url}/web`, expiresAt };
}

/**
 * Signs a browser in with a code, and returns the cookie's value and life. A browser in which somebody else is signed in is
 * left as it is: nobody is to look at recordings in another's name because they followed a link. Codes `unauthenticated`,
 * `conflict`.
 */
export async function beginWebSession(
  needs: Needs,
  code: string,
  cookie: string | undefined,
  address: string,
): Promise<{ cookie: string; lifetime: number }> {
  const { db, environment } = needs;
  const now = seconds(environment.clock);
  const hash = tokenHash(code);
  const found = await findWebCode(db, hash, now);
  const token = found && (await findApiToken(db, found.token_hash, now));
  if (token === undefined) throw codeOver();
  const caller = await callerOf({ ...needs, clock: environment.clock }, token.hash);
  await checkNobodyElse(needs, caller, cookie);
  const value = randomToken(environment.random, 32);
  const expires_at = Math.min(now + SESSION_LIFETIME, token.expires_at);
  await inTransaction(db, async (transaction) => {
    if (!(await takeWebCode(transaction, hash))) throw codeOver();
    if (cookie !== undefined) await deleteWebSession(transaction, tokenHash(cookie));
    await addWebSession(transaction, { hash: tokenHash(value), token_hash: token.hash, expires_at }, now);
    const data = { address, until: expires_at };
    await audit(transaction, environment, { type: "web-session-begun", actor: actorName(caller), data });
  });
  return { cookie: value, lifetime: expires_at - now };
}

/** Who is signed in with this cookie, with the roles that they have now. Code `unauthenticated`. */
export async function webSession(needs: Needs, cookie: string | undefined): Promise<WebSession> {
  const { db, environment } = needs;
  const row =
    cookie === undefined
      ? undefined
      : await findWebSession(db, tokenHash(cookie), seconds(environment.clock));
  // It stands and falls with the API token: signing out of the command line ends it as well.
  const caller = row && (await callerOf({ ...needs, clock: environment.clock }, row.token_hash));
  if (row === undefined || caller === undefined)
    throw new SallyportError("unauthenticated", "You are not signed in here. Run: sallyport web");
  return { caller, expiresAt: row.expires_at };
}

/** Signs a browser out; nothing happens when it was not signed in. */
export async function endWebSession(needs: Needs, cookie: string): Promise<void> {
  const { db, environment } = needs;
  const session = await webSession(needs, cookie).catch(() => undefined);
  await inTransaction(db, async (transaction) => {
    await deleteWebSession(transaction, tokenHash(cookie));
    if (session === undefined) return;
    const actor = actorName(session.caller);
    await audit(transaction, environment, { type: "web-session-ended", actor, data: {} });
  });
}

async function checkNobodyElse(needs: Needs, caller: Caller, cookie: string | undefined): Promise<void> {
  const there = await webSession(needs, cookie).catch(() => undefined);
  if (there === undefined) return;
  const { issuer, subject } = there.caller;
  if (issuer === caller.issuer && subject === caller.subject) return;
  throw new SallyportError(
    "conflict",
    `${actorName(there.caller)} is signed in here, and this link is another person's. To use it, sign out first.`,
  );
}

function codeOver(): SallyportError {
  return new SallyportError(
    "unauthenticated",
    "This link is used up or over: each is good once, for a minute. Run again: sallyport web",
  );
}
