import { timingSafeEqual } from "node:crypto";
import { audit } from "../audit/audit.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import { errorFields } from "../log.ts";
import { announce, type RevocationAnnouncer } from "../revocations/announce.ts";
import { type AppliedSet, applySet, speaker } from "./apply-set.ts";
import { secretIn } from "./call-transmitter.ts";
import { SetError } from "./set-error.ts";
import type { Transmitter } from "./transmitter.ts";
import type { KeySource } from "./transmitter-keys.ts";
import { type ClaimedSet, claimedSet, type VerifiedSet, verifySet } from "./verify-set.ts";

/** What receiving takes. */
export interface ReceivingNeeds {
  db: Database;
  environment: Environment;
  hosts: RevocationAnnouncer;
  keys: KeySource;
  transmitters: readonly Transmitter[];
  /** Asks an IdP about somebody at once; never throws. */
  checks: { checkNow(issuer: string, subject: string): void };
  /** Of tokens that an IdP has signed. */
  limit: Pick<RateLimit, "take">;
}

/**
 * Takes a SET that was pushed (RFC 8935): stored when this resolves, and announced to hosts without waiting for them. Throws
 * a SetError for what is refused for good; anything else may pass later.
 */
export async function receivePushed(
  needs: ReceivingNeeds,
  compact: string,
  authorization: string | undefined,
): Promise<void> {
  const claimed = claimedSet(compact, needs.transmitters);
  const { push } = claimed.transmitter;
  if (push === undefined)
    throw new SetError("access_denied", "Tokens of this issuer are fetched from it, and not taken by push.");
  if (push.tokenFile !== null && !isSame(authorization ?? "", secretIn(push.tokenFile)))
    throw new SetError(
      "authentication_failed",
      "The Authorization header is not the one that was agreed on.",
    );
  await receive(needs, claimed, "pushed");
}

/** Takes a SET that was fetched from this transmitter (RFC 8936); nobody else's. As {@link receivePushed}. */
export async function receivePolled(
  needs: ReceivingNeeds,
  compact: string,
  { transmitter, jti }: { transmitter: Transmitter; jti: string },
): Promise<void> {
  const claimed = claimedSet(compact, [transmitter]);
  if (claimed.decoded.claims.jti !== jti)
    throw new SetError("invalid_request", "The token has another jti than it was sent under.");
  await receive(needs, claimed, "polled");
}

async function receive(needs: ReceivingNeeds, claimed: ClaimedSet, way: "pushed" | "polled"): Promise<void> {
  const { db, environment, transmitters, keys } = needs;
  try {
    const set = await verifySet({ clock: environment.clock, transmitters, keys }, claimed);
    needs.limit.take(set.transmitter.iss);
    const applied = await inTransaction(db, (transaction) => applySet(transaction, environment, set));
    announce(needs, applied.entries);
    for (const subject of applied.toAsk) needs.checks.checkNow(set.transmitter.issuer, subject);
    logApplied(needs, set, applied);
  } catch (error) {
    if (error instanceof SetError) await noteRefusal(needs, claimed, { error, way });
    throw error;
  }
}

function logApplied(
  { environment: { log } }: ReceivingNeeds,
  { transmitter, claims }: VerifiedSet,
  { isRepeated, told, entries }: AppliedSet,
): void {
  const fields = { issuer: transmitter.iss, jti: claims.jti };
  if (isRepeated) {
    log.info("a security event came again", fields);
    return;
  }
  const revocations = entries.map(({ id }) => id);
  const isDown = told.some(({ event, outcome }) => /stream-updated/.test(event) && !/^enabled/.test(outcome));
  log[isDown ? "warn" : "info"]("security event", { ...fields, events: told, revocations });
}

/**
 * What nobody has signed goes to the log alone: anybody can send that, and the audit log is for ever. What was pushed, whoever answers
 * it logs, as far as that address may fail.
 */
async function noteRefusal(
  needs: ReceivingNeeds,
  { transmitter, decoded: { claims } }: ClaimedSet,
  { error, way }: { error: SetError; way: "pushed" | "polled" },
): Promise<void> {
  if (!error.isSigned && way === "pushed") return;
  const { db, environment } = needs;
  const { code, message } = error;
  const fields = { issuer: transmitter.iss, jti: claims.jti, code };
  environment.log.warn("a security event was refused", { ...fields, ...errorFields(error) });
  if (!error.isSigned) return;
  needs.limit.take(transmitter.iss);
  const data = { via: "SET", ...fields, message, events: Object.keys(claims.events) };
  await audit(db, environment, { type: "idp-notice-refused", actor: speaker(transmitter), data });
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
