import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { finished, printed } from "../test/fixtures/processes.ts";
import { amount, type Figure } from "./figure.ts";
import type { Pair } from "./pair.ts";
import { privateMemory, residents } from "./processes.ts";

const TARGET_MB = 1;
/** Opened together, and waited for before the next so many: memory is measured here, not speed. */
const WAVE = 5;
/** After it, what opening left behind is collected and buffers have gone. */
const SETTLE_MS = 3000;
const STORED_WITHIN_MS = 60_000;

/** What one idle session takes of memory that nobody else has: its shim, and its share of the recorders. */
export async function benchMemory(pair: Pair, sessions = 200): Promise<Figure[]> {
  const recorders = residents(pair.world).filter(({ role }) => role === "recorder");
  const total = () => recorders.reduce((sum, { pid }) => sum + privateMemory(pid), 0);
  const before = total();
  const open: ChildProcess[] = [];
  try {
    while (open.length < sessions) {
      const wave = Array.from({ length: Math.min(WAVE, sessions - open.length) }, () => openIdle(pair));
      open.push(...wave);
      await Promise.all(wave.map((ssh) => printed(ssh, /ready/)));
    }
    await pause(SETTLE_MS);
    const after = total();
    const shims = shimPids(pair).map(privateMemory);
    if (shims.length !== sessions) throw new Error(`${shims.length} shims for ${sessions} sessions`);
    const shim = shims.reduce((sum, one) => sum + one, 0) / sessions;
    const bench = "memory";
    return [
      amount(bench, `an idle session of ${sessions}, private`, "MB", shim + after / sessions, TARGET_MB),
      amount(bench, "  its shim", "MB", shim),
      amount(bench, "  its share of the recorders", "MB", after / sessions),
      amount(bench, "  of that what the session added", "MB", (after - before) / sessions),
    ];
  } finally {
    await Promise.all(open.map(end));
  }
}

/** Sessions opened at the same moment: how many were refused, how many are not recorded. */
export async function benchCrowd(pair: Pair, sessions = 200): Promise<Figure[]> {
  const before = storedRecordings(pair);
  const begun = performance.now();
  const runs = Array.from({ length: sessions }, (_, index) => {
    const [program = "", ...args] = pair.sallyport.ssh(["-T"], `echo session ${index}`);
    return finished(spawn(program, args, { env: pair.env, stdio: ["ignore", "pipe", "pipe"] }));
  });
  const outcomes = await Promise.all(runs);
  const taken = performance.now() - begun;
  const failed = outcomes.filter(
    ({ status, stdout }, index) => status !== 0 || stdout.toString() !== `session ${index}\n`,
  );
  if (failed[0] !== undefined)
    console.error(`the first that failed: ${failed[0].status} ${failed[0].stderr}`);
  const wanted = sessions - failed.length;
  const deadline = performance.now() + STORED_WITHIN_MS;
  while (storedRecordings(pair) - before < wanted && performance.now() < deadline) await pause(100);
  const missing = wanted - (storedRecordings(pair) - before);
  const bench = "crowd";
  return [
    amount(bench, `${sessions} sessions at once: failed`, "sessions", failed.length, 0),
    amount(bench, "not recorded", "sessions", missing, 0),
    amount(bench, "time for all of them", "ms", taken),
  ];
}

function openIdle(pair: Pair) {
  const [program = "", ...args] = pair.sallyport.ssh(["-tt"], "echo ready; exec sleep 1000");
  return spawn(program, args, { env: pair.env, stdio: ["pipe", "pipe", "pipe"] });
}

async function end(ssh: ChildProcess): Promise<void> {
  if (ssh.exitCode !== null || ssh.signalCode !== null) return;
  const closed = once(ssh, "close");
  ssh.kill();
  await closed;
}

/** Recordings that the control plane has; one whose upload has begun counts. */
function storedRecordings({ world }: Pair): number {
  return globSync(join(world.directory, "control-plane/recordings/*/*")).length;
}

/** The shims of the host's sessions: by its processes' own name space, others on this machine are not counted. */
function shimPids({ world }: Pair): number[] {
  const nameSpace = (pid: number) => readFileSync(`/proc/${pid}/mountinfo`, "utf8");
  const ours = nameSpace(world.host.pid);
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const isShim = readFileSync(`/proc/${name}/comm`, "utf8") === "shim\n";
      return isShim && nameSpace(Number(name)) === ours ? [Number(name)] : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}
