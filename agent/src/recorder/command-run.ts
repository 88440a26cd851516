import { constants } from "node:os";
import { ruleName } from "@sallyport/core/commands/command-rule.ts";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { EndRecord } from "@sallyport/core/recording/frame.ts";
import type { Allowed } from "./command-judge.ts";

/** From asking a command to end until it is made to. */
const GRACE_MS = 5000;
/** The same for one that keeps printing after it was asked. */
const FLOOD_GRACE_MS = 1000;
const FLOOD = 256 * 1024;
/** From there until it is given up: something of it may still hold its output. */
const GIVE_UP_MS = 1000;

/** How a program ended, or was ended. */
export type Ending = Pick<EndRecord, "reason" | "exitStatus" | "signal" | "detail">;

/** What a run asks of its session. */
export interface RunSession {
  event(event: SessionEvent): void;
  /** A signal for the command's processes. */
  signal(number: number): void;
  message(text: string): void;
  /** The command does not end: go on without it. */
  giveUp(ending: Ending): void;
}

/** Why we end it; `limit` is null where it is no limit of its own. */
interface Stopped {
  limit: "time" | "output" | null;
  reason: EndRecord["reason"];
  detail: string;
}

/** One line while it runs: its limits, and its events. */
export class CommandRun {
  readonly #allowed: Allowed;
  readonly #session: RunSession;
  readonly #timer: NodeJS.Timeout | undefined;
  #killing: NodeJS.Timeout | undefined;
  #shown = 0;
  #surplus = 0;
  #stopped: Stopped | undefined;

  /** Made when the command is about to start. */
  constructor(
    allowed: Allowed,
    confined: Extract<SessionEvent, { type: "command-started" }>["confined"],
    session: RunSession,
  ) {
    this.#allowed = allowed;
    this.#session = session;
    const { line, commands, timeLimit } = allowed;
    session.event({
      type: "command-started",
      line,
      rules: commands.map((one) => ruleName(one.rule)),
      confined,
    });
    if (timeLimit !== null) this.#timer = setTimeout(() => this.#tooLong(timeLimit), timeLimit * 1000);
  }

  get line(): string {
    return this.#allowed.line;
  }

  /** How many of these next bytes of output may be recorded and shown; fewer when they go over the limit. */
  take(length: number): number {
    const { outputLimit } = this.#allowed;
    const room = outputLimit === null ? length : Math.min(length, outputLimit - this.#shown);
    this.#shown += room;
    const before = this.#surplus;
    this.#surplus += length - room;
    if (before < FLOOD && this.#surplus >= FLOOD && this.#killing !== undefined) this.#killSoon();
    return room;
  }

  /** After `take` gave fewer: what was taken is shown, now the command is ended, once. */
  overLimit(): void {
    const { outputLimit } = this.#allowed;
    this.#stop(
      { limit: "output", reason: "output-limit", detail: `output limit ${outputLimit} bytes` },
      `\nsallyport: This command may print ${outputLimit} bytes, and has. It is ended.\n`,
    );
  }

  /** The policy does not allow it any more. */
  revoke(text: string): void {
    this.#stop({ limit: null, reason: "revoked", detail: "the command is not allowed any more" }, text);
  }

  /** It has ended: says so in an event, and returns how the session should see it. */
  ended(how: Ending): Ending {
    this.close();
    const { exitStatus, signal } = how;
    const limit = this.#stopped?.limit ?? null;
    this.#session.event({ type: "command-ended", line: this.line, exitStatus, signal, limit });
    if (this.#stopped === undefined) return how;
    // What it has left behind was not reached by what ended it, and may not run longer either.
    this.#session.signal(constants.signals.SIGKILL);
    const { reason, detail } = this.#stopped;
    return { reason, detail, exitStatus: null, signal: null };
  }

  /** No timer of it goes on. */
  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#killing);
  }

  #tooLong(seconds: number): void {
    this.#stop(
      { limit: "time", reason: "time-limit", detail: `time limit ${seconds} s` },
      `\nsallyport: This command may run ${seconds} s, and has. It is ended.\n`,
    );
  }

  #stop(why: Stopped, text: string): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = why;
    clearTimeout(this.#timer);
    this.#session.signal(constants.signals.SIGTERM);
    this.#killSoon();
    this.#session.message(text);
  }

  /** What is not shown fills the shim's memory and then stops the command, which may never see its own end. */
  #killSoon(): void {
    clearTimeout(this.#killing);
    this.#killing = setTimeout(() => this.#kill(), this.#surplus >= FLOOD ? FLOOD_GRACE_MS : GRACE_MS);
  }

  #kill(): void {
    this.#session.signal(constants.signals.SIGKILL);
    this.#killing = setTimeout(() => {
      this.#session.giveUp({ reason: "exited", exitStatus: null, signal: "SIGKILL", detail: "" });
    }, GIVE_UP_MS);
  }
}
