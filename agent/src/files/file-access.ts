import { lstatSync } from "node:fs";
import { dirname } from "node:path";
import { directoryOf, type FileDirectory, type FileGrant } from "@sallyport/core/files/file-grant.ts";
import { realPath } from "./real-path.ts";

/** Where paths are looked up. */
export interface FileSurroundings {
  /** The account's home: `~` of a grant, and where a relative path begins. */
  home: string;
  /** Where the kernel would end up with an absolute path; null where nobody can say. {@link realPath} is one. */
  real(path: string): string | null;
}

/**
 * What may be done with which path. Every grant must allow it. Paths that are asked about are absolute and real, as
 * `follow` and `entry` return them.
 */
export class FileAccess {
  readonly home: string;
  readonly #real: FileSurroundings["real"];
  readonly #grants: readonly FileGrant[];

  constructor(grants: readonly FileGrant[], { home, real }: FileSurroundings) {
    this.home = real(home) ?? home;
    this.#real = real;
    this.#grants = grants;
  }

  /** Where a path leads after all symbolic links; null where nobody can say. */
  follow(path: string): string | null {
    return this.#real(this.absolute(path));
  }

  /** The directory entry that a path names, itself not followed: for what removes, renames and makes entries. */
  entry(path: string): string | null {
    const absolute = this.absolute(path);
    const plain = absolute.replace(/\/+$/, "");
    const name = plain.slice(plain.lastIndexOf("/") + 1);
    if (name === "" || name === "." || name === "..") return this.#real(absolute);
    const parent = this.#real(plain.slice(0, plain.lastIndexOf("/")) || "/");
    if (parent === null) return null;
    const entry = parent === "/" ? `/${name}` : `${parent}/${name}`;
    // A slash at the end follows a link after all: then it must not be one.
    return plain === absolute || this.#real(absolute) === entry ? entry : null;
  }

  /** Where a symbolic link with this text would lead, if it stood at `entry`. */
  followFrom(entry: string, target: string): string | null {
    return this.#real(target.startsWith("/") ? target : `${dirname(entry)}/${target}`);
  }

  absolute(path: string): string {
    return path.startsWith("/") ? path : `${this.home}/${path}`;
  }

  mayRead(path: string): boolean {
    return this.#all(path, ({ access }) => access !== "write");
  }

  mayWrite(path: string): boolean {
    return this.#all(path, ({ access }) => access !== "read");
  }

  /** Whether it is in a granted directory. */
  holds(path: string): boolean {
    return this.#all(path, () => true);
  }

  /** Whether the entry may come, go or change its name: that is writing to the directory that it is in. */
  mayChange(entry: string): boolean {
    return entry !== "/" && this.mayWrite(entry) && this.mayWrite(dirname(entry));
  }

  /** Whether its attributes may be asked: it is in a granted directory, on the way to one, or the home. */
  sees(path: string): boolean {
    return (
      leadsTo(path, this.home) ||
      this.#grants.every(
        (grant) =>
          this.#directory(grant, path) !== undefined ||
          grant.directories.some((directory) => leadsTo(path, this.#pathOf(directory))),
      )
    );
  }

  /** Whether a granted directory is there or below: it must stay where it is. */
  carriesGrant(path: string): boolean {
    return this.#grants.some((grant) =>
      grant.directories.some((directory) => leadsTo(path, this.#pathOf(directory))),
    );
  }

  /** Largest file in bytes that may be put there; infinite where none is set. */
  maxFileSize(path: string): number {
    return Math.min(...this.#grants.map((grant) => this.#directory(grant, path)?.maxFileSize ?? Infinity));
  }

  #all(path: string, allows: (directory: FileDirectory) => boolean): boolean {
    return (
      this.#grants.length > 0 &&
      this.#grants.every((grant) => {
        const directory = this.#directory(grant, path);
        return directory !== undefined && allows(directory);
      })
    );
  }

  #directory(grant: FileGrant, path: string): FileDirectory | undefined {
    return directoryOf(grant, path, this.home);
  }

  #pathOf({ path }: FileDirectory): string {
    return path === "~" ? this.home : path.startsWith("~/") ? this.home + path.slice(1) : path;
  }
}

/**
 * The same grants with the symbolic links in their directories followed, but only those that root made in a directory
 * of root's: whoever may write in a home must not be able to move a grant elsewhere.
 */
export function settleGrants(grants: readonly FileGrant[]): FileGrant[] {
  return grants.map((grant) => ({
    ...grant,
    directories: grant.directories.map((directory) => ({ ...directory, path: settle(directory.path) })),
  }));
}

/**
 * The part of a settled grant that the kernel can hold: its directories as absolute paths, without those that a symbolic
 * link has taken the place of.
 */
export function heldGrant(grant: FileGrant, { home, real }: FileSurroundings): FileGrant {
  const settledHome = real(home) ?? home;
  const directories = grant.directories
    .map((directory) => ({ ...directory, path: directory.path.replace(/^~/, settledHome) }))
    .filter(({ path }) => real(path) === path);
  return { ...grant, directories };
}

function settle(path: string): string {
  if (path.startsWith("~")) return path;
  const real = realPath(path);
  if (real === null || real === path) return path;
  const parts = path.split("/").slice(1);
  const steps = parts.map((_, i) => `/${parts.slice(0, i + 1).join("/")}`);
  return steps.every(rootMadeIt) ? real : path;
}

/** Nobody but root can have put this entry there. */
function rootMadeIt(path: string): boolean {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined || !entry.isSymbolicLink()) return true;
  const parent = lstatSync(realPath(dirname(path)) ?? "/", { throwIfNoEntry: false });
  return entry.uid === 0 && parent?.uid === 0 && (parent.mode & 0o022) === 0;
}

/** Whether `path` is `directory` or above it. */
function leadsTo(path: string, directory: string): boolean {
  return path === "/" || directory === path || directory.startsWith(`${path}/`);
}
