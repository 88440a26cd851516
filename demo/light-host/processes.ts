import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process of a light host: its pid on this machine, its pid inside, and its command line. */
export type HostProcess = { pid: number; innerPid: number; argv: string[] };

/** All processes in the PID namespace of `initPid`, as this machine sees them. */
export function processesOf(initPid: number): HostProcess[] {
  const namespace = pidNamespace(initPid);
  if (namespace === undefined) return [];
  const found: HostProcess[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pidNamespace(pid) !== namespace) continue;
    const described = ifAlive(() => describe(pid));
    if (described) found.push(described);
  }
  return found;
}

/** The only child of a process: what `unshare --fork` runs. */
export function onlyChild(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  if (children.length !== 1 || children[0] === "") throw new Error(`process ${pid} has no single child`);
  return Number(children[0]);
}

/** Whether a process listens on a unix socket whose path begins so. Looks only: connecting would disturb the listener. */
export function listensOn(pid: number, path: string): boolean {
  const inodes = new Set(
    // Its own table: recorders under systemd have a network namespace of their own.
    (ifAlive(() => readFileSync(`/proc/${pid}/net/unix`, "utf8")) ?? "")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      // Columns: address, reference count, protocol, flags (accepting connections), type, state, inode, path.
      .filter((columns) => columns[7]?.startsWith(path) && columns[3] === "00010000")
      .map((columns) => `socket:[${columns[6]}]`),
  );
  if (inodes.size === 0) return false;
  const descriptors = ifAlive(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return descriptors.some((fd) => inodes.has(ifAlive(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? ""));
}

/** True while any process is left in a PID namespace. */
export function isInhabited(namespace: string): boolean {
  return readdirSync("/proc").some(
    (entry) => /^\d+$/.test(entry) && pidNamespace(Number(entry)) === namespace,
  );
}

/** Names the PID namespace of a process; undefined when the process is gone. */
export function pidNamespace(pid: number): string | undefined {
  return ifAlive(() => readlinkSync(`/proc/${pid}/ns/pid`));
}

function describe(pid: number): HostProcess {
  const inner = /^NSpid:.*\s(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  return { pid, innerPid: Number(inner), argv };
}

/** Processes end while /proc is read: then there is nothing to say about them. */
function ifAlive<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
