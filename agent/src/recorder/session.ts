import { constants } from "node:os";
import type { EndRecord } from "@sallyport/core/recording/frame.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import type { RecordingWriter } from "@sallyport/uplink/spool/recording-writer.ts";
import type { Ticket } from "../recorders/control-messages.ts";
import type { ShimFrame, StartInstructions } from "../shim/shim-protocol.ts";
import { decodeChildStatus } from "../shim/shim-protocol.ts";
import type { ShimConnection } from "./shim-connection.ts";

/** Exit status where we, not the command, end a session; docs/exit-codes.md. */
export const EXIT_ENDED_BY_SALLYPORT = 254;

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

export interface SessionContext {
  ticket: Ticket;
  connection: ShimConnection;
  writer: RecordingWriter;
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

  constructor(context: SessionContext) {
    this.context = context;
    context.connection.onFrames = (frames) => this.#serve(frames);
    context.connection.onClosed = () =>
      this.end({ reason: "disconnected", exitStatus: null, signal: null, detail: "" });
    context.writer.onDrain = () => this.resumeSource();
  }

  /** Text of ours on the contractor's terminal, recorded like everything shown there. */
  message(text: string): void {
    const bytes = Buffer.from(text.replace(/\r?\n/g, "\r\n"));
    if (!this.#over && this.record(FrameKind.message, bytes)) this.context.connection.send("t", bytes);
  }

  /** Ends the session, once: closes the recording, lets the shim leave, hangs up. */
  end(how: Pick<EndRecord, "reason" | "exitStatus" | "signal" | "detail">): void {
    if (this.#over) return;
    this.#over = true;
    const record: EndRecord = { v: 1, ...how, endedAt: Date.now() };
    const closed = this.context.writer.end(record);
    const signal = record.signal === null ? undefined : constants.signals[record.signal as NodeJS.Signals];
    this.context.connection.finish(
      signal !== undefined,
      signal ?? record.exitStatus ?? EXIT_ENDED_BY_SALLYPORT,
    );
    this.release();
    closed.then(
      () => this.context.onEnded(record),
      () => {}, // the writer has reported its failure already
    );
  }

  /** The spool has failed: says so, unrecorded as the only thing ever, and ends without a closing record. */
  abandon(text: string): void {
    if (this.#over) return;
    this.#over = true;
    this.context.connection.send("t", Buffer.from(text.replace(/\n/g, "\r\n")));
    this.context.connection.finish(false, EXIT_ENDED_BY_SALLYPORT);
    this.release();
  }

  protected get over(): boolean {
    return this.#over;
  }

  protected record(kind: FrameKind, data: Uint8Array): boolean {
    return this.context.writer.write(kind, data);
  }

  /** What the shim starts: the account's shell, as sshd itself would start it. */
  protected instructions(terminal: string | null): StartInstructions {
    const { shell, command } = this.context.ticket;
    const name = shell.slice(shell.lastIndexOf("/") + 1);
    return {
      terminal,
      file: shell,
      arguments: command === null ? [`-${name}`] : [name, "-c", Buffer.from(command, "base64")],
      set: { SHELL: shell, ...(terminal === null ? {} : { SSH_TTY: terminal }) },
      unset: ["SSH_ORIGINAL_COMMAND"],
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
  protected abstract childEnded(how: Pick<EndRecord, "reason" | "exitStatus" | "signal" | "detail">): void;
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
