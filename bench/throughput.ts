import { createHash } from "node:crypto";
import { type Figure, ratio } from "./figure.ts";
import { logText } from "./log-text.ts";
import type { Pair, Side } from "./pair.ts";
import { writeInside } from "./plain-sshd.ts";
import { alternate, digestOf, discarded, timed } from "./rounds.ts";
import type { Samples } from "./statistics.ts";

const MEGABYTE = 1_000_000;
const PTY_SIZE = 30 * MEGABYTE;
const PTY_TARGET = 1.1;
const PIPE_TARGET = 1.3;
/** Of the text above: about 1 GB. */
const PIPE_COPIES = 34;

/** How long 30 MB of text take to come through a terminal. */
export async function benchThroughput(pair: Pair, runs = 7): Promise<Figure[]> {
  const { whole, transfer } = await cat(pair, "/home/pty.log", logText(PTY_SIZE), ["-tt"], runs);
  const bench = "throughput";
  return [
    ratio({ bench, name: "30 MB through a terminal", samples: whole, target: PTY_TARGET }),
    ratio({ bench, name: "the same, first byte to last", samples: transfer }),
  ];
}

/** How long 1 GB takes to come from a command without a terminal. */
export async function benchPipe(pair: Pair, runs = 3): Promise<Figure[]> {
  const path = "/home/pipe.log";
  const text = logText(PTY_SIZE);
  writeInside(pair.world.host, path, text);
  const whole = createHash("sha256");
  for (let copy = 0; copy < PIPE_COPIES; copy++) whole.update(text);
  const wanted = whole.digest("hex");
  const command = `cat ${Array.from({ length: PIPE_COPIES }, () => path).join(" ")}`;
  const measure = async (side: Side) => {
    await pair.quiet();
    return discarded(side.ssh(["-T"], command), pair.env);
  };
  // One of each to warm up, and to see that all of it arrives.
  for (const side of [pair.plain, pair.sallyport])
    if ((await digestOf(side.ssh(["-T"], command), pair.env)) !== wanted)
      throw new Error(`${side.name}: what arrived is not what was sent`);
  const samples = await alternate(pair, runs, measure);
  return [ratio({ bench: "nonpty", name: "1 GB without a terminal", samples, target: PIPE_TARGET })];
}

async function cat(
  pair: Pair,
  path: string,
  content: Buffer,
  options: readonly string[],
  runs: number,
): Promise<{ whole: Samples; transfer: Samples }> {
  writeInside(pair.world.host, path, content);
  const wanted = digest(content);
  const transfer: Samples = { plain: [], sallyport: [] };
  const measure = async (side: Side) => {
    await pair.quiet();
    const run = await timed(side.ssh(options, `cat ${path}`), pair.env);
    if (digest(unixLines(Buffer.concat(run.output))) !== wanted)
      throw new Error(`${side.name}: what arrived is not what was sent`);
    transfer[side.name].push(run.transfer);
    return run.whole;
  };
  await alternate(pair, 1, measure); // one of each to warm up
  for (const times of Object.values(transfer)) times.length = 0;
  return { whole: await alternate(pair, runs, measure), transfer };
}

/** Undoes what a terminal does to line ends. */
function unixLines(bytes: Buffer): Buffer {
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte !== 0x0d || bytes[at + 1] !== 0x0a) bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
