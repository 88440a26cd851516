import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { ShimFrame } from "../shim/shim-protocol.ts";
import type { Ending } from "./command-run.ts";
import { Session, type SessionContext } from "./session.ts";

/** As POSIX sh has it for a command that cannot be run (XCU 2.8.2); docs/exit-codes.md. */
const EXIT_REFUSED = 126;

/** What is asked for is not allowed: nothing starts, the reason is shown and recorded. */
export class RefusedSession extends Session {
  readonly #event: Extract<SessionEvent, { type: "command-refused" }>;
  readonly #text: string;

  constructor(
    context: SessionContext,
    event: Extract<SessionEvent, { type: "command-refused" }>,
    text: string,
  ) {
    super(context);
    this.#event = event;
    this.#text = text;
  }

  override begin(): void {
    this.tell();
    this.refuse();
  }

  /** Why, in the recording and to the contractor. */
  protected tell(): void {
    this.event(this.#event);
    this.message(this.#text);
  }

  protected refuse(): void {
    const { code } = this.#event;
    this.end({ reason: "refused", exitStatus: EXIT_REFUSED, signal: null, detail: code });
  }

  // What the contractor's side still sends belongs to nothing.
  protected override serveFrame(_frame: ShimFrame): void {}
  protected override served(): void {}
  protected override childEnded(_how: Ending): void {}
  protected override resumeSource(): void {
    this.showHeld();
  }
  protected override release(): void {}
}
