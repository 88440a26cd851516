import type { SessionId } from "@sallyport/core/names.ts";
import { endsAt, mustEnd } from "@sallyport/core/policy/continue.ts";
import { minuteOf } from "@sallyport/core/policy/told.ts";
import type { ProcessIdentity } from "../kernel/processes.ts";
import type { PolicyStore } from "../policy/policy-store.ts";
import type { LiveSession } from "../recorders/control-messages.ts";
import type { RecorderPool } from "../recorders/recorder-pool.ts";
import { LiveGrants } from "./live-grants.ts";

/** A warning this long before an engagement's end, in seconds. */
const WARNINGS = [300, 60];
const LOOK_MS = 500;

export interface SupervisorContext {
  pool: RecorderPool;
  policy: PolicyStore;
  now(): number;
  /** Ends a connection with all that runs in it; resolves when nothing does. */
  endLogin(monitor: ProcessIdentity): Promise<void>;
  onEnded(live: LiveSession, code: string, detail: string, told: string): void;
}

/**
 * Watches the live sessions: warns before their engagement ends, ends those that may not go on, and tells the others' recorders
 * what the policy leaves of them.
 */
export class SessionSupervisor {
  readonly #context: SupervisorContext;
  readonly #live = new Map<string, LiveSession>();
  readonly #warned = new Map<string, number>();
  readonly #grants: LiveGrants;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: SupervisorContext) {
    this.#context = context;
    this.#grants = new LiveGrants((session, grant) =>
      context.pool.tell(session, { type: "grant", session, grant }),
    );
  }

  get sessions(): LiveSession[] {
    return [...this.#live.values()];
  }

  add(live: LiveSession): void {
    this.#live.set(live.session, live);
    // Looks only while there is something to look at: a host at rest uses no CPU.
    this.#timer ??= setInterval(() => this.look(), LOOK_MS);
    // Between the decision on it and now it may have been revoked.
    void this.#judge(live, this.#context.now());
  }

  /** Forgets a session that is over; returns it, if it was known. */
  remove(session: string): LiveSession | undefined {
    const live = this.#live.get(session);
    this.#live.delete(session);
    this.#warned.delete(session);
    this.#grants.forget(session);
    if (this.#live.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    return live;
  }

  /** Judges every live session now: after a new bundle, a revocation, or some time. */
  look(): void {
    void this.endWhatMust();
  }

  /** Like {@link look}; resolves with the ids of the sessions it ended, when their processes are gone. */
  async endWhatMust(): Promise<SessionId[]> {
    const { policy } = this.#context;
    const now = this.#context.now();
    const ended: SessionId[] = [];
    const endings: Promise<void>[] = [];
    for (const live of this.#live.values()) {
      const ending = this.#judge(live, now);
      if (ending === null) {
        this.#warn(live, now);
        if (policy.bundle !== null) this.#grants.look(live, policy.bundle, policy.local());
      } else {
        ended.push(live.session);
        endings.push(ending);
      }
    }
    await Promise.all(endings);
    return ended;
  }

  /** Ends a session that may not go on; null where it may. */
  #judge(live: LiveSession, now: number): Promise<void> | null {
    const { policy } = this.#context;
    const verdict = mustEnd(runningSession(live), policy.bundle, policy.revocations, now, policy.local());
    return verdict && this.#end(live, verdict.reason, verdict.detail, verdict.told);
  }

  #end(
    live: LiveSession,
    reason: "revoked" | "engagement-ended",
    detail: string,
    told: string,
  ): Promise<void> {
    const text = `\nsallyport: ${told} This session ends now.\n`;
    this.#context.pool.tell(live.session, { type: "end", session: live.session, reason, detail, text });
    this.remove(live.session);
    this.#context.onEnded(live, reason, detail, told);
    return this.#context.endLogin(live.monitor);
  }

  #warn(live: LiveSession, now: number): void {
    const engagement = this.#context.policy.bundle?.engagements.find(
      (one) => one.id === live.start.engagement.id,
    );
    if (engagement === undefined) return;
    const end = endsAt(engagement, now, this.#context.policy.local());
    const due = WARNINGS.filter((seconds) => end - now <= seconds).at(-1);
    if (due === undefined || (this.#warned.get(live.session) ?? Number.POSITIVE_INFINITY) <= due) return;
    this.#warned.set(live.session, due);
    const minutes = Math.max(1, Math.round((end - now) / 60));
    const text = `\nsallyport: engagement ${engagement.name} ends in ${minutes} min (${minuteOf(end)}). This session ends with it.\n`;
    this.#context.pool.tell(live.session, { type: "message", session: live.session, text });
  }
}

function runningSession(live: LiveSession) {
  const { start } = live;
  return {
    sessionId: live.session,
    memberId: start.member.id,
    engagementId: start.engagement.id,
    account: start.account,
    certificateSerial: start.login.certificateSerial,
    keyFingerprint: start.login.keyFingerprint,
    issuer: start.member.issuer,
    subject: start.member.subject,
    signedInAt: start.login.signedInAt ?? null,
    mode: live.mode ?? "shell",
  };
}
