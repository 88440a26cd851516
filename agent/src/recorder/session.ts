import { constants } from "node:os";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import type { EndRecord } from "@sallyport/core/recording/frame.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { varintLength, writeVarint } from "@sallyport/core/recording/varint.ts";
import type { RecordingWriter } from "@sallyport/uplink/spool/recording-writer.ts";
import { landlockAbi } from "../confinement/confine.ts";
import type { Ticket } from "../recorders/control-messages.ts";
import type { ShimFrame } from "../shim/shim-protocol.ts";
import { decodeChildStatus } from "../shim/shim-protocol.ts";
import { encodeStart, type StartInstructions } from "../shim/start-instructions.ts";
import { type Allowed, CommandJudge } from "./command-judge.ts";
import { CommandRun, type Ending } from "./command-run.ts";
import { commandStart } from "./command-start.ts";
import { SessionLimitWatch } from "./session-limits.ts";
import { MAX_COPY, type ShimConnection } from "./shim-connection.ts";

/** Exit status where we, not the command, end a session; docs/exit-codes.md. */
export const EXIT_ENDED_BY_SALLYPORT = 254;

/** Of a session that we end. */
export const NO_STATUS = { exitStatus: null, signal: null } as const;

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

export interface SessionContext {
  ticket: Ticket;
  connection: ShimConnection;
  writer: RecordingWriter;
  /** What the contractor's terminal is, checked; "dumb" where it does not say. */
  term: string;
  /** Something happened that is recorded already: for the audit log. */
  onEvent(event: SessionEvent): void;
  /** The recording is closed and on the disk. */
  onEnded(end: EndRecord): void;
}

/**
 * What terminal sessions and plain commands have in common: one writer, one shim, one end. Record before display: what
 * `record` did not take must not be passed on.
 */
export abstract class Session {
  protected readonly context: SessionContext;
  #over = false;
  /** Recorded, and not shown before the block before it is on the disk. */
  readonly #held: { type: string; bytes: Buffer }[] = [];

  readonly #limits: SessionLimitWatch;

  constructor(context: SessionContext) {
    this.context = context;
    this.#limits = new SessionLimitWatch(context.ticket.limits, performance.now());
    context.connection.onFrames = (frames) => this.#serve(frames);
    context.connection.onClosed = () =>
      this.end({ reason: "disconnected", exitStatus: null, signal: null, detail: "" });
    context.writer.onDrain = () => this.resumeSource();
  }

  /** The agent knows of the session: it may start. */
  abstract begin(): void;

  /** The policy has changed. A shell that it does not allow any more ends. */
  grantChanged(grant: SessionGrant): void {
    if (this.context.ticket.grant.mode !== "shell" || grant.mode === "shell") return;
    this.message("\nsallyport: Your engagement does not allow a shell any more. This session ends now.\n");
    this.end({ reason: "revoked", detail: "the engagement allows no shell any more", ...NO_STATUS });
  }

  /** Text of ours on the contractor's terminal, recorded like everything shown there. */
  message(text: string): void {
    const bytes = Buffer.from(text.replace(/\r?\n/g, "\r\n"));
    if (!this.#over && this.record(FrameKind.message, bytes)) this.show("t", bytes);
  }

  /** Warns, or ends the session, when a limit of its engagement says so; called a few times a second. */
  checkLimits(): void {
    const verdict = this.#over ? null : this.#limits.look(performance.now());
    if (verdict === null) return;
    this.message(verdict.text);
    if (verdict.act === "end")
      this.end({ reason: verdict.reason, detail: verdict.detail, exitStatus: null, signal: null });
  }

  /** Ends the session, once: closes the recording, lets the shim leave, hangs up. */
  end(how: Ending): void {
    if (this.#over) return;
    this.#over = true;
    const record: EndRecord = { v: 1, ...how, endedAt: Date.now() };
    const closed = this.context.writer.end(record);
    const strict = this.context.ticket.recording.durability === "strict";
    if (!strict) this.#leave(record);
    this.release();
    closed.then(
      () => {
        // With `strict`, nobody hears of the end before all of the recording is on the disk.
        if (strict) this.#leave(record);
        this.context.onEnded(record);
      },
      // The writer has reported its failure already. What was held back stays so: it may not be recorded.
      () => {
        if (strict) this.context.connection.finish(false, EXIT_ENDED_BY_SALLYPORT);
      },
    );
  }

  #leave({ signal: name, exitStatus }: EndRecord): void {
    this.showHeld();
    const signal = name === null ? undefined : constants.signals[name as NodeJS.Signals];
    this.context.connection.finish(signal !== undefined, signal ?? exitStatus ?? EXIT_ENDED_BY_SALLYPORT);
  }

  /** The spool has failed: says so, unrecorded as the only thing ever, and ends without a closing record. */
  abandon(text: string): void {
    if (this.#over) return;
    this.#over = true;
    this.context.connection.send("t", Buffer.from(text.replace(/\n/g, "\r\n")));
    this.context.connection.finish(false, EXIT_ENDED_BY_SALLYPORT);
    this.release();
  }

  /** The contractor does something; for a command without a terminal, it does. */
  protected touch(): void {
    this.#limits.touch(performance.now());
  }

  protected get over(): boolean {
    return this.#over;
  }

  protected record(kind: FrameKind, data: Uint8Array): boolean {
    return this.context.writer.write(kind, data);
  }

  /** Into the recording, and then to the agent. */
  protected event(event: SessionEvent): void {
    if (!this.#over && this.record(FrameKind.event, Buffer.from(JSON.stringify(event))))
      this.context.onEvent(event);
  }

  /** Input, or only how long it was: where its engagement does not want it recorded, or `withheld` says why not. */
  protected recordInput(data: Uint8Array, withheld = false): boolean {
    this.touch();
    if (this.context.ticket.recording.input && !withheld) return this.record(FrameKind.input, data);
    return this.record(FrameKind.inputWithheld, varints(data.length));
  }

  /** Passes on what was recorded: at once, or with `strict` when the blocks before it are on the disk. */
  protected show(type: "d" | "t", bytes: Buffer): void {
    // A list that the prompt shows may be longer than a frame.
    for (let at = 0; at < bytes.length; at += MAX_COPY) {
      const piece = bytes.subarray(at, at + MAX_COPY);
      if (this.context.writer.holdsBack || this.#held.length > 0)
        this.#held.push({ type, bytes: Buffer.from(piece) });
      else this.context.connection.sendCopy(type, piece);
    }
  }

  /**
   * Records what a program has printed on a terminal, as far as its limit goes, and then shows it. False when its terminal
   * should be read no further until `resumeSource`.
   */
  protected showOutput(chunk: Buffer, run: CommandRun | null): boolean {
    const length = run?.take(chunk.length) ?? chunk.length;
    const taken = chunk.subarray(0, length);
    if (length > 0 && !this.record(FrameKind.output, taken)) return true;
    if (length > 0) this.show("d", taken);
    if (length < chunk.length) run?.overLimit();
    return !this.context.connection.congested && this.context.writer.mayWrite;
  }

  protected showHeld(): void {
    for (const { type, bytes } of this.#held.splice(0)) this.context.connection.send(type, bytes);
  }

  /**
   * Has the shim start the account's shell, or the line that was allowed: then `onGivenUp` is called should it outlive its
   * limits. Throws where it cannot be told so.
   */
  protected startProgram(
    allowed: Allowed | null,
    terminal: string | null,
    onGivenUp: (how: Ending) => void,
  ): CommandRun | null {
    const { connection, ticket, term } = this.context;
    if (allowed === null) {
      connection.sendEncoded(encodeStart(this.#shell(terminal)));
      return null;
    }
    const { instructions, confined } = commandStart(allowed, {
      account: ticket.live.start.account,
      home: ticket.home,
      terminal: terminal === null ? null : { path: terminal, term },
      abi: landlockAbi(),
    });
    const encoded = encodeStart(instructions);
    const run = new CommandRun(allowed, confined, {
      event: (event) => this.event(event),
      signal: (number) => connection.send("k", Uint8Array.of(number)),
      message: (text) => this.message(text),
      giveUp: onGivenUp,
    });
    connection.sendEncoded(encoded);
    return run;
  }

  /** Ends a command that the changed policy does not allow any more. */
  protected checkRun(run: CommandRun, grant: SessionGrant): void {
    const { home } = this.context.ticket;
    if (grant.mode === "shell" || new CommandJudge(grant, home, landlockAbi() > 0).judge(run.line).ok) return;
    run.revoke("\nsallyport: Your engagement does not allow this command any more. It is ended.\n");
  }

  /** What the shim starts: the account's shell, as sshd itself would start it. */
  #shell(terminal: string | null): StartInstructions {
    const { shell, command } = this.context.ticket;
    const name = shell.slice(shell.lastIndexOf("/") + 1);
    return {
      terminal,
      stages: [
        {
          file: shell,
          arguments: command === null ? [`-${name}`] : [name, "-c", Buffer.from(command, "base64")],
          directory: null,
          noNewPrivileges: false,
          layers: [],
        },
      ],
      clear: false,
      set: { SHELL: shell, ...(terminal === null ? {} : { SSH_TTY: terminal }) },
      unset: ["SSH_ORIGINAL_COMMAND"],
      direct: false,
    };
  }

  protected ended(frame: ShimFrame): void {
    const status = decodeChildStatus(frame.data);
    if (status === null) {
      this.context.connection.destroy();
      return;
    }
    this.childEnded({
      reason: "exited",
      exitStatus: status.signal ? null : status.value,
      signal: status.signal ? (SIGNAL_NAMES.get(status.value) ?? `SIG${status.value}`) : null,
      detail: "",
    });
  }

  protected abstract serveFrame(frame: ShimFrame): void;
  /** After a batch of frames was served. */
  protected abstract served(): void;
  protected abstract childEnded(how: Ending): void;
  protected abstract resumeSource(): void;
  protected abstract release(): void;
  #serve(frames: ShimFrame[]): void {
    for (const frame of frames) {
      if (this.#over) return;
      if (frame.type === "w") this.ended(frame);
      else this.serveFrame(frame);
    }
    if (!this.#over) this.served();
  }
}

/** Numbers as the data of a frame has them. */
export function varints(...values: number[]): Uint8Array {
  const bytes = Buffer.alloc(values.reduce((sum, value) => sum + varintLength(value), 0));
  let at = 0;
  for (const value of values) at = writeVarint(bytes, at, value);
  return bytes;
}
