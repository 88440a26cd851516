import type { EndRecord } from "@sallyport/core/recording/frame.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { encodeStart, type ShimFrame } from "../shim/shim-protocol.ts";
import { Session, type SessionContext, varints } from "./session.ts";
import type { Terminal } from "./terminal.ts";

/** After the shell's end, output of what it left on the terminal is waited for as long as it keeps coming this fast. */
const QUIET_MS = 50;

/** A session on a terminal: its master is here, its bytes pass through here. */
export class TerminalSession extends Session {
  readonly #terminal: Terminal;
  #outcome: Pick<EndRecord, "reason" | "exitStatus" | "signal" | "detail"> | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #chunks = 0;
  #paused = false;

  constructor(context: SessionContext, terminal: Terminal) {
    super(context);
    this.#terminal = terminal;
    this.#terminal.read(
      (chunk) => this.#output(chunk),
      () => this.#terminalEnded(),
    );
    this.#terminal.onInputDrained = () => context.connection.resume();
    context.connection.onDrain = () => this.resumeSource();
    context.connection.sendEncoded(encodeStart(this.instructions(this.#terminal.path)));
  }

  protected override serveFrame(frame: ShimFrame): void {
    if (frame.type === "i") this.#input(frame.data);
    else if (frame.type === "n" && frame.data.length === 8)
      this.#resize(frame.data.readUInt16BE(2), frame.data.readUInt16BE(0));
    else if (frame.type !== "c") this.context.connection.destroy();
  }

  protected override served(): void {}

  protected override childEnded(how: Pick<EndRecord, "reason" | "exitStatus" | "signal" | "detail">): void {
    this.#outcome = how;
    // Usually the terminal ends now, behind the last output. If something still holds it, wait until it is quiet.
    this.#terminal.releaseSlave();
    this.#quiet = setTimeout(() => this.#whenQuiet(how), QUIET_MS);
  }

  protected override resumeSource(): void {
    if (this.over || this.context.connection.congested || !this.context.writer.mayWrite) return;
    this.#paused = false;
    this.showHeld();
    this.#terminal.resume();
  }

  protected override release(): void {
    clearTimeout(this.#quiet);
    this.#terminal.close();
  }

  #output(chunk: Buffer): void {
    if (this.over || !this.record(FrameKind.output, chunk)) return;
    this.#chunks++;
    this.show("d", chunk);
    this.#quiet?.refresh();
    if (this.context.connection.congested || !this.context.writer.mayWrite) {
      this.#paused = true;
      this.#terminal.pause();
    }
  }

  #whenQuiet(how: Pick<EndRecord, "reason" | "exitStatus" | "signal" | "detail">): void {
    const seen = this.#chunks;
    // One more turn of the event loop: output that waits in the kernel is read before the timer is believed. And a
    // source that we paused ourselves is not quiet.
    setImmediate(() => {
      if (this.#paused || this.#chunks !== seen) this.#quiet?.refresh();
      else this.end(how);
    });
  }

  #terminalEnded(): void {
    // Without a status yet: the shell's last process has closed the terminal, its exit is on the way in a `w` frame.
    if (this.#outcome !== undefined) this.end(this.#outcome);
  }

  #input(data: Buffer): void {
    const recorded = this.recordInput(data, this.#terminal.echoOff);
    if (recorded && !this.#terminal.write(Buffer.from(data))) this.context.connection.pause();
  }

  #resize(columns: number, rows: number): void {
    if (this.record(FrameKind.resize, varints(columns, rows))) this.#terminal.resize(columns, rows);
  }
}
