import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { syncDirectory } from "@sallyport/uplink/spool/durable.ts";
import { mustRunTool, TOOL_ENVIRONMENT } from "./system-tools.ts";

const LOOK_MS = 250;
const ARCHIVE_WITHIN_MS = 3_600_000;
const MEBIBYTE = 1024 * 1024;

/** Makes an empty home of the account's own, 0700, unless it has one. Code `conflict` when another's stands there. */
export function makeHome(home: string, uid: number): void {
  const there = lstatSync(home, { throwIfNoEntry: false });
  if (there === undefined) {
    // Empty: what /etc/skel holds is for people who administer this host.
    mkdirSync(home, { mode: 0o700 });
    chownSync(home, uid, uid);
  } else if (!there.isDirectory() || there.uid !== uid) {
    throw new SallyportError("conflict", `${home} is there and not this account's: move it away.`);
  }
  chmodSync(home, 0o700);
}

/** Where archives go, and how much must stay free there, in MiB. */
export interface ArchivePlace {
  directory: string;
  reserve: number;
}

/**
 * Archives a home as `NAME`.tar.gz, 0600, and removes it. Symbolic links are kept as links, other file systems are left
 * out, holes stay holes. Only to be called when no process of the account is left. Code `internal` when it would eat
 * into the reserve: then the home stays.
 */
export async function archiveHome(
  home: string,
  uid: number,
  name: string,
  place: ArchivePlace,
): Promise<string> {
  if (!isOwn(home, uid)) return "";
  mkdirSync(place.directory, { recursive: true, mode: 0o700 });
  const path = join(place.directory, `${name}.tar.gz`);
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  const fd = openSync(partial, "wx", 0o600);
  try {
    await tar(home, fd, place);
    fsyncSync(fd);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  await mustRunTool("mv", ["--no-target-directory", "--", partial, path]);
  syncDirectory(place.directory);
  await deleteHome(home, uid);
  return path;
}

/** Removes a home; rm(1) walks by descriptors, follows no link and leaves other file systems alone. */
export async function deleteHome(home: string, uid: number): Promise<void> {
  if (!isOwn(home, uid)) return;
  await mustRunTool("rm", ["--recursive", "--force", "--one-file-system", "--", home]);
}

function isOwn(home: string, uid: number): boolean {
  const there = lstatSync(home, { throwIfNoEntry: false });
  if (there === undefined) return false;
  if (there.isDirectory() && there.uid === uid) return true;
  throw new SallyportError("conflict", `${home} is not the account's own any more; it was left as it is.`);
}

async function tar(home: string, output: number, place: ArchivePlace): Promise<void> {
  const args = ["--create", "--gzip", "--sparse", "--one-file-system", "--numeric-owner"];
  const child = spawn(
    "tar",
    [
      ...args,
      "--warning=no-file-ignored",
      "--file=-",
      `--directory=${dirname(home)}`,
      "--",
      `./${basename(home)}`,
    ],
    { env: TOOL_ENVIRONMENT, cwd: "/", stdio: ["ignore", output, "ignore"], timeout: ARCHIVE_WITHIN_MS },
  );
  let isFull = false;
  const look = setInterval(() => {
    const { bavail, bsize } = statfsSync(place.directory);
    // Recordings come first: an archive never takes the room that sessions need.
    isFull = (bavail * bsize) / MEBIBYTE < place.reserve;
    if (isFull) child.kill("SIGKILL");
  }, LOOK_MS);
  try {
    const [status] = (await once(child, "close")) as [number | null];
    if (status === 0) return;
    if (isFull) throw new SallyportError("internal", `There is no room to archive ${home}; it was kept.`);
    throw new SallyportError(
      "internal",
      `tar could not archive ${home} (${status ?? "killed"}); it was kept.`,
    );
  } finally {
    clearInterval(look);
  }
}
