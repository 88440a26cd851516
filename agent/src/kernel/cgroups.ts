import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

/*
 * Control groups, version 2 (cgroups(7), kernel Documentation/admin-guide/cgroup-v2.rst). A process cannot leave its
 * group by itself, whatever it detaches from, so a group says what belongs to a login when the process tree no longer
 * does. Groups are named by their path below the mount point.
 */

/** Where the unified hierarchy is mounted, and which part of it is seen there. */
export interface CgroupMount {
  directory: string;
  root: string;
}

/** Finds the unified hierarchy (proc(5), mountinfo); null on a host that has version 1 alone. */
export function findCgroupMount(
  mountinfo = readFileSync("/proc/self/mountinfo", "utf8"),
): CgroupMount | null {
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root, directory] = before.split(" ");
    if (after.startsWith("cgroup2 ") && root !== undefined && directory !== undefined)
      return { directory, root };
  }
  return null;
}

/** The control groups that this host has, or says it has none: every answer then is empty. */
export class Cgroups {
  readonly #mount: CgroupMount | null;

  constructor(mount = findCgroupMount()) {
    this.#mount = mount;
  }

  /** True when groups can be made and ended (Linux 5.14 and later have `cgroup.kill`). */
  get available(): boolean {
    return this.#mount !== null;
  }

  /** The group of a process, or null. */
  of(pid: number): string | null {
    if (this.#mount === null) return null;
    try {
      const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
      if (path === undefined) return null;
      const below = relative(this.#mount.root, path);
      return below.startsWith("..") ? null : `/${below}`;
    } catch {
      return null;
    }
  }

  /**
   * Moves a process, with all its threads, into a group, which is made if need be. Takes some 10 ms: the kernel waits
   * for every process that forks just now. False where it could not be done.
   */
  async move(pid: number, group: string): Promise<boolean> {
    if (this.#mount === null) return false;
    try {
      const directory = join(this.#mount.directory, group);
      mkdirSync(directory, { recursive: true });
      await writeFile(join(directory, "cgroup.procs"), String(pid));
      return true;
    } catch {
      return false;
    }
  }

  /** The processes in a group and in those below it. */
  members(group: string): number[] {
    if (this.#mount === null) return [];
    const directory = join(this.#mount.directory, group);
    try {
      const here = readFileSync(join(directory, "cgroup.procs"), "utf8")
        .split("\n")
        .filter(Boolean)
        .map(Number);
      return [...here, ...this.below(group).flatMap((name) => this.members(join(group, name)))];
    } catch {
      return []; // it is gone, and nothing is in it
    }
  }

  /** Kills every process in a group and in those below it, forks in flight included. */
  kill(group: string): void {
    if (this.#mount === null) return;
    try {
      writeFileSync(join(this.#mount.directory, group, "cgroup.kill"), "1");
    } catch {
      // it is gone, or the kernel is older than 5.14: what is in it is killed one by one by the caller
    }
  }

  /** Removes a group of ours; false while something is in it. */
  remove(group: string): boolean {
    if (this.#mount === null) return true;
    try {
      rmdirSync(join(this.#mount.directory, group));
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ENOENT";
    }
  }

  /** Names of the groups right below one. */
  below(group: string): string[] {
    if (this.#mount === null) return [];
    try {
      return readdirSync(join(this.#mount.directory, group), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
    } catch {
      return [];
    }
  }
}
