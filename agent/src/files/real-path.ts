import { lstatSync, readlinkSync } from "node:fs";

/** As many symbolic links as Linux follows on one path (path_resolution(7)). */
const MAX_LINKS = 40;

type Kind = "missing" | "link" | "other";

/** The two things that are asked of a file system; links are bytes. */
export interface LinkReader {
  /** Whether there is something, and whether it is a symbolic link. Throws where that cannot be known. */
  kind(path: string): Kind;
  /** Where a symbolic link points. */
  target(path: string): Buffer;
}

/** The host's own. */
export const DISK: LinkReader = {
  kind(path) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return "missing";
    return found.isSymbolicLink() ? "link" : "other";
  },
  target: (path) => readlinkSync(path, { encoding: "buffer" }),
};

/**
 * Where the kernel would end up with an absolute path, after all symbolic links, dangling ones too: what `open` would
 * create through them counts. What is not there yet is taken as it is written. Null where nobody can say: through `..`
 * of a missing directory, more than 40 links, bytes that are no UTF-8, links of /proc, which mean another thing to each
 * process, and what the kernel does not let us look at.
 */
export function realPath(path: string, disk: LinkReader = DISK): string | null {
  if (!path.startsWith("/") || path.includes("\0")) return null;
  const rest = path.split("/").reverse();
  let at = "";
  let links = 0;
  let missing = false;
  for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (missing) return null;
      at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
      continue;
    }
    const next = `${at}/${part}`;
    const kind: Kind | null = missing ? "missing" : kindOf(next, disk);
    if (kind === null) return null;
    missing = kind === "missing";
    if (kind !== "link") {
      at = next;
      continue;
    }
    const target =
      at === "/proc" || at.startsWith("/proc/") || ++links > MAX_LINKS ? null : linkAt(next, disk);
    if (target === null) return null;
    rest.push(...target.split("/").reverse());
    if (target.startsWith("/")) at = "";
  }
  return at === "" ? "/" : at;
}

function kindOf(path: string, disk: LinkReader): Kind | null {
  try {
    return disk.kind(path);
  } catch {
    return null;
  }
}

function linkAt(path: string, disk: LinkReader): string | null {
  try {
    const bytes = disk.target(path);
    const text = bytes.toString("utf8");
    // A name that JavaScript cannot spell would be looked up as another one.
    return text !== "" && Buffer.from(text).equals(bytes) ? text : null;
  } catch {
    return null;
  }
}
