import { SallyportError } from "@sallyport/core/errors.ts";
import type { RevocationResponse } from "@sallyport/core/messages/client-api.ts";
import type { LiftRequest } from "@sallyport/core/messages/revocations.ts";
import type { Revocation, RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { audit } from "../audit/audit.ts";
import { inTransaction } from "../database/open-database.ts";
import { addRevocation, findRevocation } from "../database/revocations.ts";
import { newId, seconds } from "../environment.ts";
import { resolveTarget } from "./resolve-target.ts";
import { evidence, type RevocationNeeds, tellAndShow } from "./revoke.ts";
import { type EndableLevel, isEndable, signInsUntil } from "./sign-ins-until.ts";

/** What to do instead, where a revocation cannot be lifted. */
const INSTEAD: Record<Exclude<RevocationLevel, EndableLevel>, string> = {
  certificate: "A certificate that was revoked stays so. Its holder gets another by signing in again.",
  key: "A key that was revoked stays so. Its holder gets a new one by signing in again.",
  session: "A session that was ended does not come back. Its holder may sign in again.",
  engagement:
    "An engagement that was revoked stays so, and its name with it. Make another one: sallyport engagement create",
};

/**
 * Gives access back: whoever it was taken from may sign in again, and what was theirs before stays gone. Codes `not-found`;
 * `conflict` where nothing is revoked, or the level cannot be lifted.
 */
export async function liftRevocation(
  needs: RevocationNeeds,
  request: LiftRequest,
  by: string,
): Promise<RevocationResponse> {
  return tellAndShow(needs, [await storeLifting(needs, request, by)]);
}

async function storeLifting(
  { db, environment, config }: RevocationNeeds,
  request: LiftRequest,
  by: string,
): Promise<Revocation> {
  return inTransaction(db, async (db) => {
    const { level, reason } = request;
    if (!isEndable(level)) throw conflict(INSTEAD[level]);
    const [{ target, name = target } = { target: "" }] = await resolveTarget(
      { db, issuers: config.issuers },
      { level, target: request.target },
    );
    const lifted = await findRevocation(db, level, target);
    if (lifted === undefined) throw conflict(`The ${level} ${printable(name, 300)} is not revoked.`);
    if (lifted.before !== null)
      throw conflict(
        `The ${level} ${printable(name, 300)} is not revoked: since ${lifted.id} only what was signed in for before is gone, and they may sign in again.`,
      );
    const at = seconds(environment.clock);
    const before = await signInsUntil(db, at, { level, target, name });
    const id = newId(environment, "rev");
    const entry = await addRevocation(db, { id, level, target, at, by, reason, before, name });
    const data = { request, lifted: lifted.id, entries: [evidence(entry)] };
    await audit(db, environment, { type: "revocation-lifted", actor: by, data });
    return entry;
  });
}

function conflict(message: string): SallyportError {
  return new SallyportError("conflict", message);
}
