import type { EndRecord } from "@sallyport/core/recording/frame.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { encodeStart, type ShimFrame } from "../shim/shim-protocol.ts";
import { Session, type SessionContext } from "./session.ts";

/**
 * A command without a terminal. Its bytes stay in the shim; a copy comes here, and the shim shows what has been
 * acknowledged as recorded, no byte more.
 */
export class CommandSession extends Session {
  #output = 0;
  #error = 0;

  constructor(context: SessionContext) {
    super(context);
    context.connection.sendEncoded(encodeStart(this.instructions(null)));
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
  }

  protected override childEnded(how: Pick<EndRecord, "reason" | "exitStatus" | "signal" | "detail">): void {
    this.#commit();
    if (!this.context.writer.holdsBack) this.#acknowledge();
    this.end(how);
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

  protected override release(): void {}

  #add(kind: FrameKind, data: Uint8Array): number {
    return this.context.writer.add(kind, data) ? data.length : 0;
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
