import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { amount, type Figure } from "./figure.ts";
import { EchoSession } from "./keystroke.ts";
import { logText } from "./log-text.ts";
import type { Pair, Side } from "./pair.ts";
import { writeInside } from "./plain-sshd.ts";
import { alternate } from "./rounds.ts";
import { median, p99, type Samples } from "./statistics.ts";

const TARGET_MS = 20;
const TEXT = "/home/flood.log";
const TEXT_SIZE = 10_000_000;
/** Keystrokes between the start and the end of a flood. */
const GROUP = 100;
const WARM_UPS = 50;
const TYPING_PAUSE_MS = 10;

/** Keystrokes while another session of the same kind prints as fast as it can; `runs` floods of each side. */
export async function benchNeighbour(pair: Pair, runs = 4): Promise<Figure[]> {
  writeInside(pair.world.host, TEXT, logText(TEXT_SIZE));
  await using plain = await EchoSession.open(pair, pair.plain);
  await using sallyport = await EchoSession.open(pair, pair.sallyport);
  const sessions = { plain, sallyport };
  for (let key = 0; key < WARM_UPS; key++) for (const session of [plain, sallyport]) await session.press(0);
  const samples: Samples = { plain: [], sallyport: [] };
  await alternate(pair, runs, async (side) => {
    await pair.quiet();
    const flood = await startFlood(pair, side);
    for (let key = 0; key < GROUP; key++)
      samples[side.name].push(await sessions[side.name].press(TYPING_PAUSE_MS));
    if (flood.exitCode !== null) throw new Error(`the flood ended by itself: ${flood.exitCode}`);
    const closed = once(flood, "close");
    flood.kill();
    await closed;
    return 0;
  });
  const bench = "neighbour";
  return [
    amount(bench, "keystroke beside a flood, 99th percentile", "ms", p99(samples.sallyport), TARGET_MS),
    amount(bench, "  plain beside a plain flood", "ms", p99(samples.plain)),
    amount(bench, "the same, median", "ms", median(samples.sallyport)),
    amount(bench, "  plain beside a plain flood", "ms", median(samples.plain)),
  ];
}

/** A session that prints for ever; resolves when it has begun. */
async function startFlood(pair: Pair, side: Side): Promise<ChildProcess> {
  const [program = "", ...args] = side.ssh(["-tt"], `while :; do cat ${TEXT}; done`);
  const flood = spawn(program, args, { env: pair.env, stdio: ["ignore", "pipe", "ignore"] });
  await once(flood.stdout, "data");
  flood.stdout.resume();
  return flood;
}
