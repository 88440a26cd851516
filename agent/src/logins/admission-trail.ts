import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { troubleEvent } from "../events.ts";
import {
  descendantsOf,
  isAlive,
  type ProcessIdentity,
  processTable,
  runsSshd,
  uidOf,
} from "../kernel/processes.ts";
import type { Login } from "./login.ts";

/** How often a login that has no session yet is looked at, while there is one. */
const LOOK_MS = 250;

export interface AdmissionTrailContext {
  /** Program of sshd. */
  sshd: string;
  /** Puts an event into the audit trail. */
  add(event: HostEvent): void;
}

/**
 * What the audit trail hears of decisions. sshd asks before the client has proven anything, and once more before it looks
 * at the signature: whoever has seen a certificate can make it ask. So `login-admitted` is said when sshd has let the
 * client in, which shows in a session or in an sshd process that has become the account; before that nobody has logged in.
 * A refusal is said at once.
 */
export class AdmissionTrail {
  readonly #context: AdmissionTrailContext;
  readonly #waiting = new Map<string, { login: Login; event: HostEvent }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(context: AdmissionTrailContext) {
    this.#context = context;
  }

  /** A decision was made; `event` says which. The last one on a connection counts. */
  decided(login: Login, event: HostEvent): void {
    const key = keyOf(login.monitor);
    this.#waiting.delete(key);
    if (event.type !== "login-admitted") {
      this.#context.add(event);
      return;
    }
    this.#waiting.set(key, { login, event });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  /** sshd has let this connection in. */
  letIn(monitor: ProcessIdentity): void {
    const key = keyOf(monitor);
    const { event } = this.#waiting.get(key) ?? {};
    if (event === undefined) return;
    this.#waiting.delete(key);
    this.#context.add(event);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    // Anybody who has seen a certificate can have many wait: one look at /proc does for all.
    const table = processTable();
    for (const [key, { login, event }] of this.#waiting) {
      if (isLetIn(login, this.#context.sshd, table)) this.letIn(login.monitor);
      else if (!isAlive(login.monitor)) {
        this.#waiting.delete(key);
        this.#context.add(unfinished(event));
      }
    }
    if (this.#waiting.size === 0) this.stop();
  }
}

/** Has sshd let this login in? It becomes the account when the signature has been verified, and not before. */
export function isLetIn(
  { monitor, uid }: Pick<Login, "monitor" | "uid">,
  sshd: string,
  table = processTable(),
): boolean {
  return (
    isAlive(monitor) &&
    descendantsOf(monitor.pid, table).some(({ pid }) => uidOf(pid) === uid && runsSshd(pid, sshd))
  );
}

function unfinished(admitted: HostEvent): HostEvent {
  const { code, detail, type } = troubleEvent(
    "trouble",
    null,
    "login-unfinished",
    "A login would have been admitted, but ended without a session: perhaps the client does not have the certificate's key.",
  );
  return { ...admitted, type, code, detail };
}

function keyOf({ pid, startTime }: ProcessIdentity): string {
  return `${pid}-${startTime}`;
}
