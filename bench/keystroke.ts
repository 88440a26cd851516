import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { printed } from "../test/fixtures/processes.ts";
import { difference, type Figure } from "./figure.ts";
import type { Pair, Side } from "./pair.ts";
import { alternate } from "./rounds.ts";
import { p99, type Samples } from "./statistics.ts";

const TARGET_MS = 0.25;
const TARGET_P99_MS = 1;
/** Keystrokes of one side before it is the other's turn. */
const GROUP = 50;
const WARM_UPS = 100;
/** A fast typist's pause, in which processors and caches go to sleep. */
const TYPING_PAUSE_MS = 30;
const TYPED = 200;

/** The terminal itself echoes each byte as it comes in; `cat` only keeps its queue empty. */
const ECHO = "stty sane -icanon -isig; echo ready; exec cat >/dev/null";
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** How long a byte takes to the terminal and its echo back; `runs` groups of 50 keystrokes for each side. */
export async function benchKeystroke(pair: Pair, runs = 20): Promise<Figure[]> {
  await using plain = await EchoSession.open(pair, pair.plain);
  await using sallyport = await EchoSession.open(pair, pair.sallyport);
  const sessions = { plain, sallyport };
  const press = (count: number, between: number) =>
    groups(pair, count, (side) => sessions[side.name].press(between));
  await press(WARM_UPS, 0);
  const quick = await press(runs * GROUP, 0);
  const typed = await press(Math.min(runs * GROUP, TYPED), TYPING_PAUSE_MS);
  const bench = "keystroke";
  return [
    difference({ bench, name: "echo, one after another", samples: quick, target: TARGET_MS }),
    difference({
      ...{ bench, name: "the same, 99th percentile", samples: quick },
      ...{ statistic: p99, target: TARGET_P99_MS },
    }),
    difference({ bench, name: "echo, typed at 30 ms", samples: typed }),
    difference({ bench, name: "the same, 99th percentile", samples: typed, statistic: p99 }),
  ];
}

/** {@link alternate} in groups: a key pressed in the wake of the other side's would find its processor cold. */
async function groups(pair: Pair, count: number, press: (side: Side) => Promise<number>): Promise<Samples> {
  const samples: Samples = { plain: [], sallyport: [] };
  await alternate(pair, Math.ceil(count / GROUP), async (side) => {
    for (let key = 0; key < GROUP; key++) samples[side.name].push(await press(side));
    return 0;
  });
  return samples;
}

/** An ssh whose terminal echoes. */
export class EchoSession implements AsyncDisposable {
  readonly #ssh: ChildProcessByStdio<Writable, Readable, Readable>;
  #pressed = 0;
  #onEcho: ((text: string) => void) | undefined;

  private constructor(ssh: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#ssh = ssh;
    ssh.stdout.on("data", (chunk: Buffer) => this.#onEcho?.(chunk.toString("latin1")));
  }

  static async open(pair: Pair, side: Side): Promise<EchoSession> {
    const [program = "", ...args] = side.ssh(["-tt"], ECHO);
    const ssh = spawn(program, args, { env: pair.env, stdio: "pipe" });
    await printed(ssh, /ready\r\n/);
    return new EchoSession(ssh);
  }

  /** Presses one key and waits for its echo: milliseconds. */
  async press(pauseBefore: number): Promise<number> {
    if (pauseBefore > 0) await pause(pauseBefore);
    const key = LETTERS[this.#pressed++ % LETTERS.length] ?? "a";
    const begun = performance.now();
    const echo = new Promise<string>((resolve, reject) => {
      this.#onEcho = resolve;
      this.#ssh.once("close", () => reject(new Error("the session ended")));
    });
    this.#ssh.stdin.write(key);
    const got = await echo;
    const taken = performance.now() - begun;
    this.#ssh.removeAllListeners("close");
    if (got !== key) throw new Error(`pressed ${key}, echoed ${JSON.stringify(got)}`);
    return taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#ssh, "close");
    this.#ssh.kill();
    await closed;
  }
}
