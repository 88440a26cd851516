import { createHash } from "node:crypto";
import { type SessionGrant, sessionGrant } from "@sallyport/core/commands/session-grant.ts";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { narrow } from "@sallyport/core/policy/narrow.ts";
import type { LiveSession } from "../recorders/control-messages.ts";

/** What one look was made by: the very same objects mean that nothing has changed. */
interface Basis {
  bundle: Bundle;
  local: readonly LocalPolicy[];
}

/**
 * Keeps the recorders' grants as the policy is: a live session of commands or files may at each moment what its engagement and the
 * host's own policies say then. After a start every such session is told once, for nobody knows what it was told before.
 */
export class LiveGrants {
  readonly #tell: (session: LiveSession["session"], grant: SessionGrant) => void;
  /** By session: what it was told, as a hash, and what that was made by. */
  readonly #told = new Map<string, { basis: Basis; hash: string }>();
  #basis: Basis | undefined;

  constructor(tell: (session: LiveSession["session"], grant: SessionGrant) => void) {
    this.#tell = tell;
  }

  /** Tells the session's recorder what it may be now, where that is something else than before. */
  look(live: LiveSession, bundle: Bundle, local: readonly LocalPolicy[]): void {
    if (live.mode === undefined || live.mode === "shell") return;
    const basis = this.#basisOf(bundle, local);
    const told = this.#told.get(live.session);
    if (told?.basis === basis) return;
    const engagement = bundle.engagements.find(({ id }) => id === live.start.engagement.id);
    if (engagement === undefined) return; // it ends
    const grant = sessionGrant(narrow(engagement, local, bundle.members), local);
    // It began with less than a shell, and stays with what it was told last.
    if (grant.mode === "shell") return;
    const hash = createHash("sha256").update(JSON.stringify(grant)).digest("hex");
    this.#told.set(live.session, { basis, hash });
    if (told?.hash !== hash) this.#tell(live.session, grant);
  }

  forget(session: string): void {
    this.#told.delete(session);
  }

  #basisOf(bundle: Bundle, local: readonly LocalPolicy[]): Basis {
    const last = this.#basis;
    const isSame =
      last !== undefined &&
      last.bundle === bundle &&
      last.local.length === local.length &&
      local.every((policy, index) => policy === last.local[index]);
    if (isSame) return last;
    this.#basis = { bundle, local };
    return this.#basis;
  }
}
