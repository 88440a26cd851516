import { type Figure, ratio } from "./figure.ts";
import { logText } from "./log-text.ts";
import type { Pair } from "./pair.ts";
import { writeInside } from "./plain-sshd.ts";
import { alternate, timed } from "./rounds.ts";
import type { Samples } from "./statistics.ts";

const SIZE = 30_000_000;
const TARGET = 1;
const TEXT = "/home/tlog-input.log";

/** Sallyport against Debian's tlog-rec, run by the plain account on the plain sshd and writing to a file: same bytes. */
export async function benchTlog(pair: Pair, runs = 5): Promise<Figure[]> {
  const { host } = pair.world;
  writeInside(host, TEXT, logText(SIZE));
  // It notes its terminal there, and gives up when it cannot.
  const made = await host.run(["install", "-g", "utmp", "-m", "0664", "/dev/null", "/run/utmp"]);
  if (made.status !== 0) throw new Error(`/run/utmp could not be made: ${made.stderr}`);
  const recorded = `tlog-rec --writer=file --file-path=/tmp/tlog-$$.json cat ${TEXT}; rm -f /tmp/tlog-$$.json`;
  const byTlog = { ...pair.plain, ssh: (options: readonly string[]) => pair.plain.ssh(options, recorded) };
  const rounds = async (count: number): Promise<Samples> =>
    alternate({ ...pair, plain: byTlog }, count, async (side) => {
      await pair.quiet();
      const { whole, output } = await timed(side.ssh(["-tt"], `cat ${TEXT}`), pair.env);
      const length = output.reduce((sum, one) => sum + one.length, 0);
      if (length < SIZE) throw new Error(`${side.name}: ${length} bytes arrived, of ${SIZE}: ${output[0]}`);
      return whole;
    });
  await rounds(1);
  const samples = await rounds(runs);
  return [ratio({ bench: "tlog", name: "30 MB, Sallyport by tlog-rec", samples, target: TARGET })];
}
