import { lstatSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { PROGRAM_PATH } from "@sallyport/core/commands/command-rule.ts";
import type { HostFiles } from "@sallyport/core/commands/match.ts";
import { realPath } from "../files/real-path.ts";

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

/** An executable file that only root can change or replace: an account could put anything into another. */
function isProgram(path: string): boolean {
  try {
    const real = realpathSync.native(path);
    const found = statSync(real);
    const { mode, uid } = found;
    if (!found.isFile() || (mode & EXECUTABLE) === 0) return false;
    return uid === 0 && (mode & WRITABLE_BY_OTHERS) === 0 && parents(real).every(isRoots);
  } catch {
    return false;
  }
}

function parents(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [parent, ...parents(parent)];
}

/** Root's directory, which a group may write to at most: /usr/local/bin is `staff`'s on Debian. */
function isRoots(directory: string): boolean {
  const { mode, uid } = statSync(directory);
  return uid === 0 && (mode & 0o002) === 0;
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
