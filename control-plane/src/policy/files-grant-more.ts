import { directoryOf, type FileDirectory, type FileGrant } from "@sallyport/core/files/file-grant.ts";
import { isLooser } from "./is-looser.ts";

/** Stands for the home directory, which differs from account to account; no path of a grant has a line break. */
const HOME = "/\n";

/**
 * Whether a grant of files allows something that the one before did not. The longest directory that holds a path says what may be
 * done, so one that is taken away can be more: what it lies in counts then.
 */
export function filesGrantMore(before: FileGrant, after: FileGrant): boolean {
  if (after.protocols.some((protocol) => !before.protocols.includes(protocol))) return true;
  // Homes lie somewhere below the other directories, or not: in doubt, another list of them is more.
  const others = after.directories.some(({ path }) => !isHome(path));
  if (others && homes(before) !== homes(after)) return true;
  const paths = new Set([...before.directories, ...after.directories].map(({ path }) => path));
  return [...paths].some((path) => {
    const absolute = isHome(path) ? HOME + path.slice(1) : path;
    const now = directoryOf(after, absolute, HOME);
    const then = directoryOf(before, absolute, HOME);
    return now !== undefined && (then === undefined || isMore(then, now));
  });
}

function isMore(before: FileDirectory, after: FileDirectory): boolean {
  const access = before.access === "read-write" || before.access === after.access;
  const mayWrite = after.access !== "read";
  return !access || (mayWrite && isLooser(before.maxFileSize, after.maxFileSize));
}

function isHome(path: string): boolean {
  return path.startsWith("~");
}

function homes({ directories }: FileGrant): string {
  return JSON.stringify(
    directories
      .map(({ path }) => path)
      .filter(isHome)
      .toSorted(),
  );
}
