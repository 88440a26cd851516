import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { logTail } from "../demo/light-host/log-tail.ts";
import { benchCertificates } from "./control-plane/certificates.ts";
import { benchHosts } from "./control-plane/hosts.ts";
import { benchIngest } from "./control-plane/ingest.ts";
import { benchRevocation } from "./control-plane/revocation.ts";
import { benchScim } from "./control-plane/scim.ts";
import { benchSessions } from "./control-plane/sessions.ts";
import { benchDecision } from "./decision.ts";
import type { Figure } from "./figure.ts";
import { benchFiles } from "./files.ts";
import { benchKeystroke } from "./keystroke.ts";
import { benchLogin } from "./login.ts";
import { benchNeighbour } from "./neighbour.ts";
import {
  type BenchOptions,
  CONTROL_PLANE_BENCHES,
  CORE_BENCHES,
  type ControlPlaneBench,
  type CoreBench,
  HELP,
  HOST_BENCHES,
  type HostBench,
  parseOptions,
  UsageError,
} from "./options.ts";
import { openPair, type Pair } from "./pair.ts";
import { children } from "./processes.ts";
import { describeMachine, tableText, writeJson } from "./report.ts";
import { benchRest } from "./rest.ts";
import { benchRevocationHost } from "./revocation-host.ts";
import { benchRevocationList } from "./revocation-list.ts";
import { benchCrowd, benchMemory } from "./sessions.ts";
import { benchPipe, benchThroughput } from "./throughput.ts";
import { benchTlog } from "./tlog.ts";

const OF_HOST: Record<HostBench, (pair: Pair, runs?: number) => Promise<Figure[]>> = {
  login: benchLogin,
  keystroke: benchKeystroke,
  neighbour: benchNeighbour,
  throughput: benchThroughput,
  tlog: benchTlog,
  nonpty: benchPipe,
  files: benchFiles,
  rest: benchRest,
  memory: benchMemory,
  crowd: benchCrowd,
  "revocation-host": benchRevocationHost,
};

const OF_CONTROL_PLANE: Record<ControlPlaneBench, (runs?: number) => Promise<Figure[]>> = {
  certificates: benchCertificates,
  ingest: benchIngest,
  hosts: benchHosts,
  sessions: benchSessions,
  revocation: benchRevocation,
  scim: benchScim,
};

const OF_CORE: Record<CoreBench, (runs?: number) => Promise<Figure[]>> = {
  decision: benchDecision,
  "revocation-list": benchRevocationList,
};

/** Thrown on Ctrl-C. */
class Interrupted extends Error {}

// What an interrupted benchmark still waits for must not keep us.
process.exit(await main(process.argv.slice(2)).catch(failed));

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  if (process.getuid?.() !== 0)
    throw new Error(
      "The benchmarks start a host with accounts and an sshd of its own, in namespaces: run them as root.",
    );
  const begun = new Date();
  const machine = describeMachine();
  const figures = await measure(options);
  process.stdout.write(`\n${tableText(figures)}\n`);
  const file = resolve(options.out ?? join(import.meta.dirname, "results", `${fileName(begun)}.json`));
  writeJson(file, machine, begun, figures);
  say(`written to ${file}`);
  if (machine.loadBefore > 0.5)
    say(`others were at work on this machine (load ${machine.loadBefore.toFixed(2)}): the figures are rough`);
  return 0;
}

/** Measures, and whatever happens leaves nothing behind. */
async function measure(options: BenchOptions): Promise<Figure[]> {
  const interrupted = interruption();
  // All that is written goes below one directory; os.tmpdir() reads this variable at each call.
  const directory = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
  process.env.TMPDIR = directory;
  chmodSync(directory, 0o711); // PostgreSQL runs as somebody else, below it
  const opened: Promise<Pair>[] = [];
  try {
    const measuring = measureBoth(options, opened);
    measuring.catch(() => {}); // an interruption may come first
    return await Promise.race([measuring, interrupted]);
  } finally {
    // Only when it stands can it be taken down in order.
    for (const opening of opened) await (await opening.catch(() => undefined))?.close();
    for (const child of children()) process.kill(child, "SIGTERM");
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureBoth({ benches, runs }: BenchOptions, opened: Promise<Pair>[]): Promise<Figure[]> {
  const ofHost = HOST_BENCHES.filter((bench) => benches.includes(bench));
  const figures: Figure[] = [];
  if (ofHost.length > 0) {
    say("starting Sallyport and a plain sshd ...");
    const opening = openPair();
    opened.push(opening);
    figures.push(...(await runAll(await opening, ofHost, runs)));
  }
  for (const bench of CONTROL_PLANE_BENCHES.filter((one) => benches.includes(one))) {
    say(`${bench} ...`);
    figures.push(...(await OF_CONTROL_PLANE[bench](runs)));
  }
  for (const bench of CORE_BENCHES.filter((one) => benches.includes(one))) {
    say(`${bench} ...`);
    figures.push(...(await OF_CORE[bench](runs)));
  }
  return figures;
}

async function runAll(
  pair: Pair,
  benches: readonly HostBench[],
  runs: number | undefined,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const bench of benches) {
    say(`${bench} ...`);
    try {
      figures.push(...(await OF_HOST[bench](pair, runs)));
      await pair.quiet();
    } catch (cause) {
      // The log is gone with the host, and says more than ssh does.
      const { message } = cause instanceof Error ? cause : new Error(String(cause));
      throw new Error(`${bench}: ${message}\n${logTail(pair.world.host.agentLog())}`, { cause });
    }
  }
  return figures;
}

function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(signal, () => reject(new Interrupted(`${signal}: ending ...`)));
  });
}

function failed(error: unknown): number {
  console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof Interrupted) return 130;
  return error instanceof UsageError ? 2 : 1;
}

/** UTC to the second, without the colons that some file systems refuse. */
function fileName(time: Date): string {
  return time.toISOString().slice(0, 19).replaceAll(":", "");
}

function say(text: string): void {
  console.log(`bench: ${text}`);
}
