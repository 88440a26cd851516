import { type ChildProcess, spawn } from "node:child_process";
import { finished } from "../../../fixtures/processes.ts";
import type { Person } from "../../../fixtures/world.ts";

/** What a session prints: numbered lines, so many at a time, with a pause (in seconds) behind each burst. */
export interface Pace {
  lines: number;
  burst: number;
  pause: number;
}

/** How a session prints. Without a terminal, every third line goes to standard error. */
export interface NumberedPlan extends Pace {
  mark: string;
  terminal: boolean;
}

const PROGRAM = [
  "$|=1; ($mark, $lines, $burst, $pause, $third) = @ARGV;",
  'for $i (1..$lines) { print { $third && $i % 3 == 0 ? STDERR : STDOUT } "$mark line $i\\n";',
  "select undef, undef, undef, $pause if $i % $burst == 0 }",
].join(" ");

/**
 * A line of ours at the end of what a session showed: nothing of the command's, and nothing that is to be recorded. On a
 * terminal the shim begins a new line for its own.
 */
const OUR_LAST_WORDS = /(\r\n(?=sallyport: This session cannot be recorded))?sallyport: [^\r\n]*\r?\n$/;

/** One session over plain `ssh` that prints what is known beforehand, and what the client showed of it. */
export class NumberedSession {
  readonly plan: NumberedPlan;
  readonly startedAt: number = performance.now();
  endedAt: number = Number.POSITIVE_INFINITY;
  /** What ssh ended with. */
  readonly ended: Promise<number | null>;
  status: number | null = null;
  readonly #child: ChildProcess;
  readonly #shown: Record<"output" | "error", Buffer[]> = { output: [], error: [] };

  constructor(person: Person, plan: NumberedPlan) {
    this.plan = plan;
    const argv = person.ssh(plan.terminal ? "-ttq" : "-q", "web-1", commandOf(plan));
    const [file = "", ...args] = argv;
    this.#child = spawn(file, args, { env: person.env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#shown.output.push(chunk));
    this.#child.stderr?.on("data", (chunk: Buffer) => this.#shown.error.push(chunk));
    this.ended = finished(this.#child).then(({ status }) => {
      this.endedAt = performance.now();
      this.status = status;
      return status;
    });
  }

  /** It has shown something and has not ended. */
  get runs(): boolean {
    return this.endedAt === Number.POSITIVE_INFINITY && this.#shown.output.length > 0;
  }

  /** What the client showed of the command's output, without our own words. */
  shown(stream: "output" | "error"): string {
    return Buffer.concat(this.#shown[stream]).toString().replace(OUR_LAST_WORDS, "");
  }

  /** What the command prints when nothing ends it. */
  whole(stream: "output" | "error"): string {
    const { mark, lines, terminal } = this.plan;
    const numbers = Array.from({ length: lines }, (_, i) => i + 1);
    const wanted = numbers.filter((i) => (stream === "error") === (!terminal && i % 3 === 0));
    return wanted.map((i) => `${mark} line ${i}${terminal ? "\r\n" : "\n"}`).join("");
  }
}

/** The command of a plan; its mark is in it, so that the list of sessions tells which is which. */
function commandOf({ mark, lines, burst, pause, terminal }: NumberedPlan): string {
  return `perl -e '${PROGRAM}' ${mark} ${lines} ${burst} ${pause} ${terminal ? 0 : 1}`;
}
