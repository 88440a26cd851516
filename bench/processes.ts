import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { World } from "../test/fixtures/world.ts";

/** A process of Sallyport's that stays. */
export interface Resident {
  role: "agent" | "recorder" | "control plane";
  pid: number;
}

const QUIET_WINDOW_MS = 100;
/** Of one core, in the window. Timers alone take less. */
const QUIET_MS = 2;
const QUIET_WITHIN_MS = 30_000;

/** Every process of Sallyport's that runs without a session. */
export function residents(world: World): Resident[] {
  const agent = world.host.agentPid();
  const controlPlane = childWith(join(world.directory, "control-plane.yaml"));
  if (agent === undefined || controlPlane === undefined) throw new Error("a part of Sallyport does not run");
  return [
    { role: "agent", pid: agent },
    ...world.host.recorderPids().map((pid) => ({ role: "recorder" as const, pid })),
    { role: "control plane", pid: controlPlane },
  ];
}

/** Milliseconds that the process's threads have spent on processors. */
export function processorTime(pid: number): number {
  // Nanoseconds, where /proc/PID/stat counts hundredths of a second.
  const task = `/proc/${pid}/task`;
  const spent = (thread: string) => Number(readFileSync(`${task}/${thread}/schedstat`, "utf8").split(" ")[0]);
  return readdirSync(task).reduce((sum, thread) => sum + spent(thread), 0) / 1e6;
}

/** Memory in MB: the whole resident set, and the share of it that is this process's own (PSS). */
export function memory(pid: number): { rss: number; pss: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kilobytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(rollup)?.[1]);
  return { rss: kilobytes("Rss") / 1000, pss: kilobytes("Pss") / 1000 };
}

/** Memory in MB that no other process shares. */
export function privateMemory(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kilobytes = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+)/gm)].map(([, one]) => Number(one));
  return kilobytes.reduce((sum, one) => sum + one, 0) / 1000;
}

/** Waits until Sallyport is at rest, so that work left by one run does not slow the next, perhaps plain, one. */
export async function untilQuiet(world: World): Promise<void> {
  const pids = residents(world).map((resident) => resident.pid);
  const total = () => pids.reduce((sum, pid) => sum + processorTime(pid), 0);
  const deadline = performance.now() + QUIET_WITHIN_MS;
  for (let before = total(); performance.now() < deadline; ) {
    await pause(QUIET_WINDOW_MS);
    const now = total();
    if (now - before < QUIET_MS) return;
    before = now;
  }
  throw new Error(`Sallyport was still at work ${QUIET_WITHIN_MS / 1000} s after a run`);
}

/** Our own children. */
export function children(): number[] {
  const task = `/proc/${process.pid}/task`;
  return readdirSync(task).flatMap((thread) =>
    readFileSync(`${task}/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
}

function childWith(argument: string): number | undefined {
  return children().find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(argument),
  );
}
