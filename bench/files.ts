import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Figure, ratio } from "./figure.ts";
import type { Pair, Side } from "./pair.ts";
import { alternate } from "./rounds.ts";

const SIZE = 1_000_000_000;
const PIECE = 10_000_000;
const TARGET = 1.3;

/** How long 1 GB takes by sftp to the host and back, where the engagement lets files be moved and each is followed. */
export async function benchFiles(pair: Pair, runs = 3): Promise<Figure[]> {
  const local = join(pair.world.directory, "1-gb");
  const wanted = writeLarge(local);
  const files: Pair = { ...pair, sallyport: pair.files };
  const measure = (batch: string) => async (side: Side) => {
    await pair.quiet();
    return sftp(side, batch, pair.env);
  };
  const copy = (argv: (side: Side) => string[]) => async (side: Side) => {
    await pair.world.host.run(["rm", "-f", `/home/${side.account}/1-gb-too`]);
    await pair.quiet();
    return timed(side, argv(side), pair.env);
  };
  const put = measure(`put ${local} 1-gb\n`);
  const get = measure("get 1-gb /dev/null\n");
  try {
    // One of each to warm up, and to see that all of it arrives.
    await alternate(files, 1, put);
    for (const account of [files.plain.account, files.sallyport.account]) {
      const there = await pair.world.host.run(["sha256sum", `/home/${account}/1-gb`]);
      if (!there.stdout.toString().startsWith(wanted))
        throw new Error(`${account}: what arrived is not what was sent`);
    }
    const putting = await alternate(files, runs, put);
    await alternate(files, 1, get);
    const getting = await alternate(files, runs, get);
    const scp = await alternate(
      files,
      runs,
      copy((side) => side.legacyScp(local, "1-gb")),
    );
    const rsync = await alternate(
      files,
      runs,
      copy((side) => side.rsync(local, "1-gb-too")),
    );
    const bench = "files";
    return [
      ratio({ bench, name: "1 GB put by sftp", samples: putting, target: TARGET }),
      ratio({ bench, name: "1 GB got by sftp", samples: getting, target: TARGET }),
      ratio({ bench, name: "1 GB put by scp -O", samples: scp, target: TARGET }),
      ratio({ bench, name: "1 GB put by rsync, new each time", samples: rsync, target: TARGET }),
    ];
  } finally {
    rmSync(local, { force: true });
    for (const account of [files.plain.account, files.sallyport.account])
      await pair.world.host.run(["rm", "-f", `/home/${account}/1-gb`, `/home/${account}/1-gb-too`]);
  }
}

/** Milliseconds that a batch of sftp takes. */
function sftp(side: Side, batch: string, env: NodeJS.ProcessEnv): Promise<number> {
  return timed(side, side.sftp(), env, batch);
}

/** Milliseconds that a command takes, with this for its input. */
async function timed(
  side: Side,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  input = "",
): Promise<number> {
  const [program = "", ...args] = argv;
  const begun = performance.now();
  const child = spawn(program, args, { env, stdio: ["pipe", "ignore", "inherit"] });
  child.stdin.end(input);
  const [status, signal] = (await once(child, "close")) as [number | null, string | null];
  if (status !== 0) throw new Error(`${side.name}: ${program} ended with ${status ?? signal}`);
  return performance.now() - begun;
}

/** Writes the file, of bytes that nothing compresses, and returns its SHA-256. */
function writeLarge(path: string): string {
  const piece = randomBytes(PIECE);
  const whole = createHash("sha256");
  for (let length = 0; length < SIZE; length += PIECE) {
    appendFileSync(path, piece);
    whole.update(piece);
  }
  return whole.digest("hex");
}
