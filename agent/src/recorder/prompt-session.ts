import { MAX_LINE } from "@sallyport/core/commands/parse-line.ts";
import type { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { landlockAbi } from "../confinement/confine.ts";
import type { ShimFrame } from "../shim/shim-protocol.ts";
import { type Allowed, CommandJudge } from "./command-judge.ts";
import type { CommandRun, Ending } from "./command-run.ts";
import { refusedEvent, surroundings } from "./opening.ts";
import { complete } from "./prompt-completion.ts";
import { PromptEditor } from "./prompt-editor.ts";
import { greeting, helpFor, helpText } from "./prompt-help.ts";
import { promptRefusalText, type Refusal } from "./refusal-text.ts";
import { NO_STATUS, Session, type SessionContext, varints } from "./session.ts";
import { Terminal } from "./terminal.ts";
import { TerminalChild } from "./terminal-child.ts";

const NEW_LINE = Buffer.from("\r\n");
const INTERRUPT = 0x03;
/** How much of a command's last output is looked at, and what in it stands behind the end of a line without being text. */
const TAIL = 64;
const ESC = "\\u001b";
const ESCAPES = new RegExp(`(${ESC}\\[[0-?]*[ -/]*[@-~])+$`);

/**
 * A login where only some commands are allowed: a prompt of ours. While nothing runs, what is typed goes to a line editor;
 * while a command runs, to the terminal that it has for itself, with the modes that sshd's has.
 */
export class PromptSession extends Session {
  #judge: CommandJudge;
  readonly #editor: PromptEditor;
  readonly #window: { columns: number; rows: number };
  #child: TerminalChild | undefined;
  #run: CommandRun | null = null;
  /** What came behind the end of a line, in the same piece: lines that were pasted. */
  #pasted: Buffer = Buffer.alloc(0);
  #tail: Buffer = Buffer.alloc(0);
  #turn: NodeJS.Immediate | undefined;

  constructor(context: SessionContext, judge: CommandJudge, window: { columns: number; rows: number }) {
    super(context);
    this.#judge = judge;
    this.#window = { columns: window.columns, rows: window.rows };
    const prompt = `${printable(context.ticket.live.start.host.name)}> `;
    this.#editor = new PromptEditor(prompt, this.#window, {
      write: (bytes) => this.showOutput(bytes, null),
      line: (line) => this.#entered(line),
      closed: () => {
        this.showOutput(NEW_LINE, null);
        this.#leave();
      },
      complete: (line) => complete(this.#judge.rules, line),
    });
    context.connection.onDrain = () => this.resumeSource();
  }

  override begin(): void {
    // Pump what is typed, although nothing has been started.
    this.context.connection.send("y", Buffer.alloc(0));
    const { engagement, contact } = this.#judge.grant;
    super.message(greeting(engagement, contact, this.#judge.rules.usages().length));
    this.#editor.show();
  }

  override grantChanged(grant: SessionGrant): void {
    if (grant.mode !== "commands") {
      super.message(
        "\nsallyport: Your engagement does not allow commands any more. This session ends now.\n",
      );
      this.end({ reason: "revoked", detail: "the engagement allows no commands any more", ...NO_STATUS });
      return;
    }
    this.#judge = new CommandJudge(grant, this.context.ticket.home, landlockAbi() > 0);
    if (this.#run !== null) this.checkRun(this.#run, grant);
  }

  /** At the prompt, what was typed so far is shown again below. */
  override message(text: string): void {
    super.message(text);
    if (this.#child === undefined && !this.over) this.#editor.redraw();
  }

  protected override serveFrame(frame: ShimFrame): void {
    if (frame.type === "i") this.#input(frame.data);
    else if (frame.type === "n" && frame.data.length === 8)
      this.#resize(frame.data.readUInt16BE(2), frame.data.readUInt16BE(0));
    else if (frame.type !== "c") this.context.connection.destroy();
  }

  protected override served(): void {}

  protected override childEnded(how: Ending): void {
    if (this.#child === undefined) this.context.connection.destroy();
    else this.#child.childEnded(how);
  }

  protected override resumeSource(): void {
    if (this.over || !this.#mayShow) return;
    this.showHeld();
    this.#child?.resume();
    if (this.#child === undefined) this.#take();
  }

  protected override release(): void {
    clearImmediate(this.#turn);
    this.#run?.close();
    this.#child?.close();
    this.#editor.close();
  }

  get #mayShow(): boolean {
    return !this.context.connection.congested && this.context.writer.mayWrite;
  }

  #input(data: Buffer): void {
    if (!this.recordInput(data, this.#child?.echoOff ?? false)) return;
    if (this.#child === undefined) {
      this.#pasted = Buffer.concat([this.#pasted, data]);
      this.#take();
      return;
    }
    // Who interrupts a command does not want the lines behind it either.
    if (data.includes(INTERRUPT)) this.#pasted = Buffer.alloc(0);
    if (!this.#child.write(Buffer.from(data))) this.context.connection.pause();
  }

  /** Gives the editor what waits, a little at a time: other sessions share this process. */
  #take(): void {
    clearImmediate(this.#turn);
    if (this.over || this.#child !== undefined) return;
    if (this.#pasted.length > 0 && this.#mayShow) this.#pasted = this.#editor.type(this.#pasted);
    if (this.over) return;
    if (this.#child !== undefined || this.#pasted.length === 0) {
      this.context.connection.resume();
      return;
    }
    // `resumeSource` comes back to it when the contractor's side, or the disk, is too slow.
    this.context.connection.pause();
    if (this.#mayShow) this.#turn = setImmediate(() => this.#take());
  }

  #resize(columns: number, rows: number): void {
    if (!this.record(FrameKind.resize, varints(columns, rows))) return;
    [this.#window.columns, this.#window.rows] = [columns, rows];
    this.#child?.resize(columns, rows);
    this.#editor.resize(columns, rows, this.#child === undefined);
  }

  #entered(line: string | null): void {
    if (this.over) return;
    if (line === null) this.#refuse("", tooLong());
    else if (!this.#own(line.trim().split(/\s+/))) this.#judged(line);
    if (!this.over && this.#child === undefined) this.#editor.show();
  }

  /** What the prompt does itself; false for all else. */
  #own(words: readonly string[]): boolean {
    const [first, second, ...more] = words;
    if (more.length > 0 || (first !== "help" && first !== "exit")) return false;
    if (first === "exit" && second === undefined) this.#leave();
    else if (first === "exit") return false;
    else {
      const usages = this.#judge.rules.usages();
      super.message(second === undefined ? helpText(usages) : helpFor(usages, second));
    }
    return true;
  }

  #judged(line: string): void {
    const judgement = this.#judge.judge(line);
    if (!judgement.ok) this.#refuse(line, judgement.refusal);
    else if (judgement.allowed !== null) this.#start(judgement.allowed);
  }

  #refuse(line: string, refusal: Refusal): void {
    this.event(refusedEvent(line, refusal));
    super.message(promptRefusalText(refusal, surroundings(this.context.ticket, this.#judge)));
  }

  #start(allowed: Allowed): void {
    const { uid, gid } = this.context.ticket;
    try {
      const terminal = new Terminal(this.#window.columns, this.#window.rows, uid, gid);
      this.#child = new TerminalChild(terminal, {
        output: (chunk) => this.#output(chunk),
        inputDrained: () => this.context.connection.resume(),
        ended: (how) => this.#ended(how),
      });
      this.#run = this.startProgram(allowed, this.#child.path, (how) => this.#givenUp(how));
    } catch (error) {
      this.#child?.close();
      this.#child = undefined;
      super.message(
        `sallyport: This command cannot be started: ${printable(error instanceof Error ? error.message : "")}\n`,
      );
    }
  }

  #output(chunk: Buffer): boolean {
    if (this.over) return true;
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-TAIL)]).subarray(-TAIL);
    return this.showOutput(chunk, this.#run);
  }

  #ended(how: Ending): void {
    if (this.over) return;
    // The editor draws from the beginning of the line: what the command left there must not be lost.
    if (/[^\r\n]$/.test(this.#tail.toString("latin1").replace(ESCAPES, ""))) this.showOutput(NEW_LINE, null);
    this.#tail = Buffer.alloc(0);
    this.#run?.ended(how);
    this.#run = null;
    this.#child?.close();
    this.#child = undefined;
    this.#editor.show();
    this.#take();
  }

  /** The shim takes no other command before it has seen the end of this one. */
  #givenUp(how: Ending): void {
    const ending = this.#run?.ended(how) ?? how;
    super.message("\nsallyport: The command does not end, so this session does. Log in again.\n");
    this.end(ending);
  }

  #leave(): void {
    if (this.over) return;
    this.end({ reason: "exited", exitStatus: 0, signal: null, detail: "" });
  }
}

function tooLong(): Refusal {
  const detail = `The line is longer than ${MAX_LINE} characters; make it shorter.`;
  return { code: "shell-syntax", detail, caret: "", usages: [] };
}
