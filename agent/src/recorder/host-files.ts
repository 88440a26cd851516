import { lstatSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { PROGRAM_PATH } from "@sallyport/core/commands/command-rule.ts";
import type { HostFiles } from "@sallyport/core/commands/match.ts";
import { DISK, type LinkReader, realPath } from "../files/real-path.ts";

/** Anybody but the owner may change it. */
const WRITABLE_BY_OTHERS = 0o022;
const EXECUTABLE = 0o111;

/** The host's own files, as root sees them: what decides about commands. */
export const hostFiles: HostFiles = {
  real: (path) => realPath(path),
  program(name) {
    const candidates = isAbsolute(name) ? [name] : PROGRAM_PATH.map((directory) => join(directory, name));
    return candidates.find(isProgram) ?? null;
  },
};

/** Why a program cannot be run, as a sentence; "" when it can. */
export function programProblem(name: string): string {
  const [first] = isAbsolute(name) ? [name] : PROGRAM_PATH.map((one) => join(one, name)).filter(isThere);
  if (first === undefined || !isThere(first)) return "It is not installed.";
  if (isProgram(first)) return "";
  return "Others than root could change it, or it is no executable file; tell the host's administrators.";
}

/**
 * An executable file that only root can change or replace: an account could put anything into another. Every directory and
 * every symbolic link on the way to it is looked at, for who may turn a link chooses the program, and may do so after we looked.
 */
function isProgram(path: string): boolean {
  const real = isRoots("/") ? realPath(path, ROOTS) : null;
  if (real === null) return false;
  const found = statSync(real, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile() || (found.mode & EXECUTABLE) === 0) return false;
  return found.uid === 0 && (found.mode & WRITABLE_BY_OTHERS) === 0;
}

/** The disk, as far as only root can change it. */
const ROOTS: LinkReader = {
  ...DISK,
  kind(path) {
    if (!isRoots(path)) throw new Error("others than root could change it");
    return DISK.kind(path);
  },
};

/** What is no directory is root's, a directory no other's to write to; but /usr/local/bin, which is `staff`'s on Debian. */
function isRoots(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return true;
  const others = /^\/usr\/local(\/|$)/.test(path) ? 0o002 : WRITABLE_BY_OTHERS;
  return found.uid === 0 && (!found.isDirectory() || (found.mode & others) === 0);
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return !isMissing(error);
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
