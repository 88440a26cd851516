import { mkdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeDurably } from "../state/durable-file.ts";
import { assertPlainPath } from "./config-value.ts";

/** The line that makes ssh read our file. Code `config-invalid` for a path that ssh_config cannot hold. */
export function includeLine(sshConfig: string): string {
  return `Include "${assertPlainPath(sshConfig)}"`;
}

/** True when the line is there and counts for every host: before the first `Host` or `Match`. */
export function hasInclude(config: string, line: string): boolean {
  for (const each of config.split("\n")) {
    if (each.trim() === line) return true;
    if (/^\s*(host|match)[\s=]/i.test(each)) return false;
  }
  return false;
}

/**
 * Puts the line at the top of `~/.ssh/config`, once; everything else in it stays as it is, byte for byte. A config that
 * is a symbolic link stays one. Returns the file's path and whether it was changed.
 */
export function addInclude(userHome: string, line: string): { path: string; changed: boolean } {
  const path = join(userHome, ".ssh", "config");
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const existing = readIfThere(path);
  // latin1 keeps every byte, whatever the file's encoding.
  if (
    existing !== undefined &&
    hasInclude(existing.toString("latin1"), Buffer.from(line).toString("latin1"))
  ) {
    return { path, changed: false };
  }
  const target = existing === undefined ? path : realpathSync(path);
  const mode = existing === undefined ? 0o600 : statSync(target).mode & 0o777;
  writeDurably(target, [Buffer.from(`${line}\n`), existing ?? Buffer.alloc(0)], mode);
  return { path, changed: true };
}

/** Takes the line out of `~/.ssh/config` again, and leaves the rest byte for byte. Returns path and whether it was there. */
export function removeInclude(userHome: string, line: string): { path: string; changed: boolean } {
  const path = join(userHome, ".ssh", "config");
  const lines = readIfThere(path)?.toString("latin1").split("\n") ?? [];
  const ours = Buffer.from(line).toString("latin1");
  const rest = lines.filter((each) => each.trim() !== ours);
  if (rest.length === lines.length) return { path, changed: false };
  const target = realpathSync(path);
  writeDurably(target, [Buffer.from(rest.join("\n"), "latin1")], statSync(target).mode & 0o777);
  return { path, changed: true };
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
