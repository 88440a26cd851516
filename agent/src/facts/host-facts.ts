import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { HostFacts } from "@sallyport/core/messages/host-facts.ts";

const FIRST_MS = 5_000;
const EVERY_MS = 60 * 60 * 1000;
const TIMEOUT_MS = 60_000;
const MAX_OUTPUT = 64 * 1024;

/**
 * Facts about this host, gathered in the background once an hour by a short-lived process: what it loads and starts
 * is gone with it. The first time is a moment after the agent's start, when logins are answered already.
 */
export class HostFactsKeeper {
  readonly #command: readonly [string, string[]];
  readonly #onTrouble: (message: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #facts: HostFacts | undefined;

  /** `command`: program and arguments that print facts as JSON. */
  constructor(command: readonly [string, string[]], onTrouble: (message: string) => void) {
    this.#command = command;
    this.#onTrouble = onTrouble;
  }

  /** The latest facts; undefined until they were gathered once. */
  get current(): HostFacts | undefined {
    return this.#facts;
  }

  start(firstMs = FIRST_MS): void {
    this.#timer = setTimeout(() => {
      void this.gather();
      this.#timer = setInterval(() => void this.gather(), EVERY_MS).unref();
    }, firstMs).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Gathers now. What fails leaves the facts as they were. */
  async gather(): Promise<void> {
    const [program, args] = this.#command;
    try {
      const { stdout } = await promisify(execFile)(program, args, {
        timeout: TIMEOUT_MS,
        maxBuffer: MAX_OUTPUT,
      });
      this.#facts = HostFacts.parse(JSON.parse(stdout));
    } catch (error) {
      this.#onTrouble(`facts about this host cannot be gathered: ${String(error).slice(0, 300)}`);
    }
  }
}
