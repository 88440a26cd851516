import {
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { newestCheckpointText, writeNewestCheckpoint } from "../audit/log-files.ts";
import type { CommandContext } from "../commands/command.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Clock } from "../environment.ts";
import { syncDirectory } from "../keys/durable-file.ts";
import { inUseBy } from "./in-use.ts";
import { Progress } from "./progress.ts";
import { makeStaging } from "./staging.ts";
import { unpack } from "./tar.ts";
import { type Owner, type VerifiedBackup, verifyBackup } from "./verify-backup.ts";

/** What is restored, and how. */
export interface RestoreOptions {
  config: Pick<Configuration, "dataDirectory" | "listen">;
  /** The backup. */
  file: string;
  /** Moves what is there aside. */
  force: boolean;
  /** Nothing was signed after the backup was made: the audit log goes on. */
  nothingSince: boolean;
  /** Whose the files become; undefined leaves them with who runs this. */
  owner: Owner | undefined;
  clock: Clock;
  stderr: CommandContext["stderr"];
}

/** What was restored. */
export interface Restored extends VerifiedBackup {
  /** Where the old data is, if there was any. */
  aside: string | undefined;
  /** Which checkpoint tells the control plane whether its audit log goes on. */
  checkpoint: "of-the-backup" | "of-the-old-data" | "none";
  /** The configuration in the backup. */
  configuration: string;
}

/** The database comes last: keys without it, or it without keys, are refused at a start. */
const PARTS = ["recordings", "keys", "sallyport.db"] as const;
const OLD = [...PARTS, "sallyport.db-wal", "sallyport.db-shm"];

/**
 * Verifies a backup whole, and puts it in place only then. Codes `conflict` when a control plane runs, or there is data already and no
 * `force`; `message-malformed` when the backup is damaged, with everything as it was.
 */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { config, file, force, owner, stderr } = options;
  const { dataDirectory } = config;
  if (!existsSync(file)) throw new SallyportError("usage", `${file} cannot be read: check the path.`);
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  await refuseInUse(config);
  const isEmpty = PARTS.every((part) => isEmptyOrAbsent(join(dataDirectory, part)));
  if (!isEmpty && !force)
    throw new SallyportError(
      "conflict",
      `There is data in ${dataDirectory} already, and it stays. --force moves it aside and restores.`,
    );
  const staging = makeStaging(dataDirectory, "restore");
  try {
    await unpack(file, staging);
    const progress = new Progress(stderr, "verifying", statSync(file).size);
    const verified = await verifyBackup(staging, { owner, onBytes: progress.add });
    progress.end();
    // Again: that took a while.
    await refuseInUse(config);
    return { ...verified, ...putInPlace(options, staging, verified.head.checkpoint, isEmpty) };
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

async function refuseInUse(config: RestoreOptions["config"]): Promise<void> {
  const use = await inUseBy(config);
  if (use !== undefined)
    throw new SallyportError(
      "conflict",
      `The control plane must not run while it is restored, and ${use}. Stop it: systemctl stop sallyport-control-plane`,
    );
}

function putInPlace(
  { config: { dataDirectory }, clock, nothingSince, owner }: RestoreOptions,
  staging: string,
  ofBackup: string | null,
  isEmpty: boolean,
): Omit<Restored, keyof VerifiedBackup> {
  const configuration = readFileSync(join(staging, "configuration.yaml"), "utf8");
  // Whatever was signed last here is the judge of whether the log goes on, as at every start.
  const known = newestCheckpointText(join(dataDirectory, "keys"));
  const note = known ?? (nothingSince ? (ofBackup ?? undefined) : undefined);
  if (note !== undefined) {
    writeNewestCheckpoint(join(staging, "keys"), note);
    if (owner !== undefined) chownSync(join(staging, "keys", "audit-log.checkpoint"), owner.uid, owner.gid);
  }
  const aside = isEmpty ? undefined : moveAside(dataDirectory, clock);
  for (const part of PARTS) {
    if (!existsSync(join(staging, part))) continue;
    move(join(staging, part), join(dataDirectory, part));
    syncDirectory(dataDirectory);
  }
  if (owner !== undefined) chownSync(dataDirectory, owner.uid, owner.gid);
  const checkpoint = note === undefined ? "none" : known === undefined ? "of-the-backup" : "of-the-old-data";
  return { aside, checkpoint, configuration };
}

/** Returns where the old data is now. */
function moveAside(dataDirectory: string, clock: Clock): string {
  const aside = join(dataDirectory, `before-${new Date(clock()).toISOString().replace(/[:.]/g, "-")}`);
  mkdirSync(aside, { mode: 0o700 });
  // The other way round: a start in between finds a database without keys, and refuses.
  for (const part of [...OLD].reverse())
    if (existsSync(join(dataDirectory, part))) move(join(dataDirectory, part), join(aside, part));
  syncDirectory(dataDirectory);
  return aside;
}

/** Moves a tree, also onto another file system, or into a directory that is a mount point and stays. */
function move(from: string, to: string): void {
  try {
    renameSync(from, to);
    return;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EXDEV", "EBUSY", "ENOTEMPTY", "EEXIST"].includes(code)) throw error;
  }
  const { mode, uid, gid } = statSync(from);
  if (statSync(from).isDirectory()) {
    mkdirSync(to, { recursive: true, mode: mode & 0o777 });
    for (const name of readdirSync(from)) if (!name.startsWith(".")) move(join(from, name), join(to, name));
  } else {
    copyFileSync(from, to, constants.COPYFILE_EXCL);
    rmSync(from);
  }
  chmodSync(to, mode & 0o777);
  if (process.getuid?.() === 0) chownSync(to, uid, gid);
}

/** Hidden names are of this program's own. */
function isEmptyOrAbsent(path: string): boolean {
  if (!existsSync(path)) return true;
  return statSync(path).isDirectory() && readdirSync(path).every((name) => name.startsWith("."));
}
