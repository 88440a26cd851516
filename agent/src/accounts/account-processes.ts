import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { SallyportError } from "@sallyport/core/errors.ts";
import { describeProcess, type ProcessIdentity, processStat, signalProcess } from "../kernel/processes.ts";

const ROUNDS = 200;
const ROUND_MS = 25;
const EMPTY_LOOKS = 8;

/** The processes that have this uid as any of theirs: real, effective, saved, file system (proc(5), status). */
export function processesOfUid(uid: number): ProcessIdentity[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^[0-9]+$/.test(name)) return [];
    try {
      const status = readFileSync(`/proc/${name}/status`, "latin1");
      // A zombie is dead, and waits for its parent to notice; unless only its first thread is, and others go on.
      if (/^State:\s+[ZX]/m.test(status) && readdirSync(`/proc/${name}/task`).length <= 1) return [];
      const uids = /^Uid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/);
      const stat = uids?.includes(String(uid)) === true ? processStat(Number(name)) : null;
      return stat === null ? [] : [{ pid: stat.pid, startTime: stat.startTime }];
    } catch {
      return []; // it has ended
    }
  });
}

/**
 * Ends all processes of a uid, however they detached themselves; returns how many there were. Code `internal` when some
 * will not go.
 */
export async function endProcessesOfUid(uid: number): Promise<number> {
  const ended = await endProcesses(() => processesOfUid(uid));
  return ended.length;
}

/**
 * Ends processes until `find` finds none, and returns what they were. All are stopped before the first is killed, so that
 * none starts another meanwhile. Code `internal` when some will not go.
 */
export async function endProcesses(find: () => ProcessIdentity[]): Promise<string[]> {
  const seen = new Map<string, string>();
  let empty = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const newest = newestProcess();
    const left = find();
    if (left.length === 0) {
      // Who starts another and ends while the list is being read is not seen, and the other neither: only where nothing has
      // started meanwhile, nothing is left. On a host where something starts all the time, several looks must do.
      if (newestProcess() === newest || ++empty === EMPTY_LOOKS) return [...seen.values()];
      continue;
    }
    empty = 0;
    for (const process of left) signalProcess(process, "SIGSTOP");
    for (const process of left) {
      const key = `${process.pid}-${process.startTime}`;
      if (!seen.has(key)) seen.set(key, describeProcess(process.pid));
      signalProcess(process, "SIGKILL");
    }
    await pause(ROUND_MS);
  }
  throw new SallyportError("internal", `Processes do not end: ${[...seen.values()].slice(-5).join("; ")}`);
}

/** The number that was given to a process or thread last (proc(5), loadavg). */
function newestProcess(): string | undefined {
  return readFileSync("/proc/loadavg", "latin1").trim().split(" ").at(-1);
}
