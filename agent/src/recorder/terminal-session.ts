import type { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import type { ShimFrame } from "../shim/shim-protocol.ts";
import type { Allowed } from "./command-judge.ts";
import type { CommandRun, Ending } from "./command-run.ts";
import { Session, type SessionContext, varints } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { TerminalChild } from "./terminal-child.ts";

/** A session on a terminal, of the account's shell or of one command: its master is here, its bytes pass through here. */
export class TerminalSession extends Session {
  readonly #child: TerminalChild;
  readonly #allowed: Allowed | null;
  #run: CommandRun | null = null;

  /** `allowed` where the engagement allows only some commands; null starts the account's shell. */
  constructor(context: SessionContext, terminal: Terminal, allowed: Allowed | null) {
    super(context);
    this.#allowed = allowed;
    this.#child = new TerminalChild(terminal, {
      output: (chunk) => this.#output(chunk),
      inputDrained: () => context.connection.resume(),
      ended: (how) => this.#ended(how),
    });
    context.connection.onDrain = () => this.resumeSource();
  }

  override begin(): void {
    this.#run = this.startProgram(this.#allowed, this.#child.path, (how) => this.#ended(how));
  }

  override grantChanged(grant: SessionGrant): void {
    if (this.#run === null) super.grantChanged(grant);
    else this.checkRun(this.#run, grant);
  }

  protected override serveFrame(frame: ShimFrame): void {
    if (frame.type === "i") this.#input(frame.data);
    else if (frame.type === "n" && frame.data.length === 8)
      this.#resize(frame.data.readUInt16BE(2), frame.data.readUInt16BE(0));
    else if (frame.type !== "c") this.context.connection.destroy();
  }

  protected override served(): void {}

  protected override childEnded(how: Ending): void {
    this.#child.childEnded(how);
  }

  protected override resumeSource(): void {
    if (this.over || this.context.connection.congested || !this.context.writer.mayWrite) return;
    this.showHeld();
    this.#child.resume();
  }

  protected override release(): void {
    this.#run?.close();
    this.#child.close();
  }

  #output(chunk: Buffer): boolean {
    return this.over || this.showOutput(chunk, this.#run);
  }

  #ended(how: Ending): void {
    this.end(this.#run?.ended(how) ?? how);
  }

  #input(data: Buffer): void {
    const recorded = this.recordInput(data, this.#child.echoOff);
    if (recorded && !this.#child.write(Buffer.from(data))) this.context.connection.pause();
  }

  #resize(columns: number, rows: number): void {
    if (this.record(FrameKind.resize, varints(columns, rows))) this.#child.resize(columns, rows);
  }
}
