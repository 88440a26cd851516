import type { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import type { ShimFrame } from "../shim/shim-protocol.ts";
import type { Allowed } from "./command-judge.ts";
import type { CommandRun, Ending } from "./command-run.ts";
import { Session, type SessionContext } from "./session.ts";

/**
 * A command without a terminal. Its bytes stay in the shim; a copy comes here, and the shim shows what has been
 * acknowledged as recorded, no byte more.
 */
export class CommandSession extends Session {
  #output = 0;
  #error = 0;
  readonly #allowed: Allowed | null;
  #run: CommandRun | null = null;
  /** More came than its limit lets it print. */
  #overLimit = false;

  /** `allowed` where the engagement allows only some commands; null has the account's shell run it. */
  constructor(context: SessionContext, allowed: Allowed | null) {
    super(context);
    this.#allowed = allowed;
  }

  override begin(): void {
    this.#run = this.startProgram(this.#allowed, null, (how) => this.childEnded(how));
  }

  override grantChanged(grant: SessionGrant): void {
    if (this.#run === null) super.grantChanged(grant);
    else this.checkRun(this.#run, grant);
  }

  protected override serveFrame(frame: ShimFrame): void {
    const { data } = frame;
    if (frame.type === "o") this.#output += this.#add(FrameKind.output, data);
    else if (frame.type === "e") this.#error += this.#add(FrameKind.error, data);
    else if (frame.type === "i") this.recordInput(data);
    else if (frame.type !== "c" && frame.type !== "j") this.context.connection.destroy();
  }

  protected override served(): void {
    this.touch();
    this.#commit();
    this.resumeSource();
    if (!this.#overLimit) return;
    this.#overLimit = false;
    this.#run?.overLimit();
  }

  protected override childEnded(how: Ending): void {
    this.#commit();
    if (!this.context.writer.holdsBack) this.#acknowledge();
    this.end(this.#run?.ended(how) ?? how);
  }

  protected override showHeld(): void {
    this.#acknowledge();
    super.showHeld();
  }

  /** Withholding the acknowledgement is what pauses a command: the shim reads on only within its window. */
  protected override resumeSource(): void {
    if (this.context.writer.mayWrite) {
      this.showHeld();
      this.context.connection.resume();
    } else {
      this.context.connection.pause();
    }
  }

  protected override release(): void {
    this.#run?.close();
  }

  #add(kind: FrameKind, data: Uint8Array): number {
    const length = this.#run?.take(data.length) ?? data.length;
    this.#overLimit ||= length < data.length;
    if (length === 0 && data.length > 0) return 0;
    return this.context.writer.add(kind, data.subarray(0, length)) ? length : 0;
  }

  /** Makes recorded what one read brought; what is not must not be acknowledged. */
  #commit(): void {
    if (this.context.writer.commit()) return;
    this.#output = 0;
    this.#error = 0;
  }

  #acknowledge(): void {
    if (this.#output === 0 && this.#error === 0) return;
    const counts = Buffer.allocUnsafe(8);
    counts.writeUInt32BE(this.#output, 0);
    counts.writeUInt32BE(this.#error, 4);
    this.#output = 0;
    this.#error = 0;
    this.context.connection.send("a", counts);
  }
}
