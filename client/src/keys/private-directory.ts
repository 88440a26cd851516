import { createHash } from "node:crypto";
import { lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** Where a private key may lie when there is no agent, best first: in memory, else beside the other state. */
export function keyDirectories(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
  home: string,
): string[][] {
  // Two homes of one user must not take each other's key.
  const own = createHash("sha256").update(home).digest("hex").slice(0, 16);
  const runtime = env.XDG_RUNTIME_DIR;
  return [
    ...(runtime?.startsWith("/") ? [[join(runtime, "sallyport"), own]] : []),
    [join("/dev/shm", `sallyport-${uid}`), own],
    [join(home, "private")],
  ];
}

/**
 * Makes the directories, each inside the one before, and returns the innermost. Undefined when one of them cannot be
 * made, is a symbolic link, belongs to somebody else, or lets others in: /dev/shm is open to everybody, so somebody
 * may have been there first.
 */
export function makePrivateDirectory(parts: readonly string[], uid: number): string | undefined {
  let path = "";
  for (const part of parts) {
    path = path === "" ? part : join(path, part);
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return undefined;
    }
    const found = lstatSync(path);
    if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) return undefined;
  }
  return path;
}
