import type { Ending } from "./command-run.ts";
import type { Terminal } from "./terminal.ts";

/** After a program's end, output of what it left on the terminal is waited for as long as it keeps coming this fast. */
const QUIET_MS = 50;

/** What a program on a terminal asks of its session. */
export interface TerminalChildEvents {
  /** Output, valid until the call returns; false when the session can take no more until `resume`. */
  output(chunk: Buffer): boolean;
  inputDrained(): void;
  /** The program has ended, and its last output has been passed on. */
  ended(how: Ending): void;
}

/** A program on a terminal whose master is here, from its start to its last output. */
export class TerminalChild {
  readonly #terminal: Terminal;
  readonly #events: TerminalChildEvents;
  #outcome: Ending | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #chunks = 0;
  #paused = false;
  #over = false;

  constructor(terminal: Terminal, events: TerminalChildEvents) {
    this.#terminal = terminal;
    this.#events = events;
    terminal.read(
      (chunk) => this.#output(chunk),
      () => this.#terminalEnded(),
    );
    terminal.onInputDrained = () => events.inputDrained();
  }

  get path(): string {
    return this.#terminal.path;
  }

  /** True while a password is being typed. */
  get echoOff(): boolean {
    return this.#terminal.echoOff;
  }

  /** False when the caller should wait for `inputDrained`. */
  write(data: Buffer): boolean {
    return this.#terminal.write(data);
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
  }

  resume(): void {
    this.#paused = false;
    this.#terminal.resume();
  }

  /** The shim has said how it ended. */
  childEnded(how: Ending): void {
    this.#outcome = how;
    // Usually the terminal ends now, behind the last output. If something still holds it, wait until it is quiet.
    this.#terminal.releaseSlave();
    this.#quiet = setTimeout(() => this.#whenQuiet(how), QUIET_MS);
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#quiet);
    this.#terminal.close();
  }

  #output(chunk: Buffer): void {
    this.#chunks++;
    const goesOn = this.#events.output(chunk);
    this.#quiet?.refresh();
    if (goesOn) return;
    this.#paused = true;
    this.#terminal.pause();
  }

  #whenQuiet(how: Ending): void {
    const seen = this.#chunks;
    // One more turn of the event loop: output that waits in the kernel is read before the timer is believed. And a
    // source that we paused ourselves is not quiet.
    setImmediate(() => {
      if (this.#paused || this.#chunks !== seen) this.#quiet?.refresh();
      else this.#end(how);
    });
  }

  #terminalEnded(): void {
    // Without a status yet: the program's last process has closed the terminal, its exit is on the way in a `w` frame.
    if (this.#outcome !== undefined) this.#end(this.#outcome);
  }

  /** Once: our own `close` ends the terminal too, when another program may be running already. */
  #end(how: Ending): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.ended(how);
  }
}
