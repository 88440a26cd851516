import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { parseCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { newestCheckpointText } from "../audit/log-files.ts";
import type { CommandContext } from "../commands/command.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Clock } from "../environment.ts";
import { syncDirectory } from "../keys/durable-file.ts";
import { recordingFile } from "../recordings/recording-files.ts";
import { hashFile, MANIFEST, ManifestWriter } from "./manifest.ts";
import { formatBytes, Progress } from "./progress.ts";
import { checkpointIn, recordingsIn, snapshot } from "./snapshot.ts";
import { makeStaging } from "./staging.ts";
import { archive } from "./tar.ts";

/** What is backed up, and where to. */
export interface BackupOptions {
  config: Pick<Configuration, "dataDirectory" | "url" | "policyFile">;
  /** Where that was read. */
  configFile: string;
  out: string;
  /** The database is SQLite's; else it is left to PostgreSQL's own tools. */
  isSqlite: boolean;
  withRecordings: boolean;
  clock: Clock;
  stderr: CommandContext["stderr"];
}

/** What a backup has in it. */
export interface BackupSummary {
  files: number;
  bytes: number;
  /** Recordings that the database has, and the directory has not, or not whole: they were lost before. */
  lost: { count: number; first: string };
}

/**
 * Backs up keys, database, configuration and recordings into one tar file of mode 0600, while the control plane may be writing: the
 * database as it is at one moment, and every recording that it knows with at least the bytes that it knows. Code `usage` when the
 * file is there already, or there is nothing to back up.
 */
export async function makeBackup(options: BackupOptions): Promise<BackupSummary> {
  const { config, isSqlite } = options;
  const out = resolve(options.out);
  const { dataDirectory } = config;
  if (existsSync(out)) throw new SallyportError("usage", `${out} is there already: name another file.`);
  const keys = join(dataDirectory, "keys");
  if (!existsSync(keys) || (isSqlite && !existsSync(join(dataDirectory, "sallyport.db"))))
    throw new SallyportError(
      "usage",
      `There is nothing to back up in ${dataDirectory}: the control plane was never started with this configuration${isSqlite ? ", or it has PostgreSQL, and DATABASE_URL is not set here as its service has it" : ""}.`,
    );
  const staged: string[] = [];
  const clean = () => {
    for (const directory of staged) rmSync(directory, { recursive: true, force: true });
    rmSync(`${out}.part`, { force: true });
  };
  const stop = () => {
    clean();
    process.exit(1);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  try {
    return await stageAndArchive(options, out, (directory) => {
      const staging = makeStaging(directory, "backup");
      staged.push(staging);
      return staging;
    });
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
    clean();
  }
}

async function stageAndArchive(
  { config, configFile, isSqlite, withRecordings, clock, stderr }: BackupOptions,
  out: string,
  stage: (directory: string) => string,
): Promise<BackupSummary> {
  const { dataDirectory, url, policyFile } = config;
  const staging = stage(dataDirectory);
  const recordings = join(dataDirectory, "recordings");
  // Beside them: a link does not leave its file system.
  const links = withRecordings && existsSync(recordings) ? stage(recordings) : undefined;
  // Before and after: what goes meanwhile the database still has, and what comes it may have.
  if (links !== undefined) linkRecordings(recordings, join(links, "recordings"));
  if (isSqlite) snapshot(join(dataDirectory, "sallyport.db"), join(staging, "sallyport.db"));
  if (links !== undefined) linkRecordings(recordings, join(links, "recordings"));
  // After the database, so that every key that it names is there.
  copyKeys(join(dataDirectory, "keys"), join(staging, "keys"));
  copyFileSync(configFile, join(staging, "configuration.yaml"));
  const names = ["configuration.yaml"];
  if (policyFile !== undefined && existsSync(policyFile)) {
    copyFileSync(policyFile, join(staging, "policy.yaml"));
    names.push("policy.yaml");
  }
  names.push("keys");
  if (isSqlite) names.push("sallyport.db");
  const paths = [
    ...filesBelow(staging, names),
    ...(links === undefined ? [] : filesBelow(links, ["recordings"])),
  ];
  const total = paths.reduce((sum, { size }) => sum + size, 0);
  const head = {
    format: "sallyport-backup" as const,
    version: 1 as const,
    createdAt: new Date(clock()).toISOString(),
    url,
    database: isSqlite ? ("sqlite" as const) : ("postgresql" as const),
    recordings: withRecordings ? ("included" as const) : ("left-out" as const),
    checkpoint: newestCheckpoint(dataDirectory, isSqlite ? join(staging, "sallyport.db") : undefined),
  };
  const manifest = await ManifestWriter.begin(join(staging, MANIFEST), head);
  const progress = new Progress(stderr, "reading", total);
  for (const { path, file, size } of paths) {
    const sha256 = await hashFile(file, size, progress.add);
    if (sha256 === undefined) throw new SallyportError("internal", `${file} was cut off meanwhile.`);
    await manifest.add({ path, size, sha256 });
  }
  await manifest.end();
  progress.end();
  if (stderr.isTTY === true) stderr.write(`writing ${formatBytes(total)} to ${out} ...\n`);
  await write(out, [
    { directory: staging, names: [MANIFEST, ...names] },
    ...(links === undefined || !existsSync(join(links, "recordings"))
      ? []
      : [{ directory: links, names: ["recordings"] }]),
  ]);
  const lost = isSqlite && links !== undefined ? countLost(staging, links) : { count: 0, first: "" };
  return { files: paths.length, bytes: total, lost };
}

/** The file has its name when it is whole and on the disk, and never takes the place of another. */
async function write(out: string, sources: Parameters<typeof archive>[0]): Promise<void> {
  const part = `${out}.part`;
  rmSync(part, { force: true });
  const output = openSync(part, "wx", 0o600);
  try {
    await archive(sources, output);
    fsyncSync(output);
  } finally {
    closeSync(output);
  }
  linkSync(part, out);
  rmSync(part);
  syncDirectory(dirname(out));
}

/** Recordings only grow, and the file behind a link stays when retention takes its other name. */
function linkRecordings(from: string, to: string): void {
  for (const host of readdirSync(from, { withFileTypes: true })) {
    if (!host.isDirectory() || host.name.startsWith(".")) continue;
    mkdirSync(join(to, host.name), { recursive: true, mode: 0o700 });
    for (const name of readdirSync(join(from, host.name)))
      if (name.endsWith(".spr")) link(join(from, host.name, name), join(to, host.name, name));
  }
}

function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // There from before, or gone since it was listed.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST" && code !== "ENOENT") throw error;
  }
}

function countLost(staging: string, links: string): BackupSummary["lost"] {
  const lost = { count: 0, first: "" };
  for (const { hostId, session, length } of recordingsIn(join(staging, "sallyport.db"))) {
    const file = recordingFile(join(links, "recordings"), hostId, session);
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) >= length) continue;
    lost.first ||= session;
    lost.count++;
  }
  return lost;
}

/** All but the newest checkpoint, which must fit the database: the manifest has the one that does. */
function copyKeys(from: string, to: string): void {
  mkdirSync(to, { mode: 0o700 });
  for (const entry of readdirSync(from, { withFileTypes: true }))
    if (entry.isFile() && entry.name !== "audit-log.checkpoint" && !entry.name.endsWith(".new"))
      copyFileSync(join(from, entry.name), join(to, entry.name));
}

function newestCheckpoint(dataDirectory: string, database: string | undefined): string | null {
  const note = newestCheckpointText(join(dataDirectory, "keys"));
  if (note === undefined) return null;
  return database === undefined ? note : checkpointIn(database, parseCheckpoint(note).origin);
}

/** Not held in one list by their bytes, only by their names and sizes. */
function filesBelow(
  directory: string,
  names: readonly string[],
): { path: string; file: string; size: number }[] {
  return names.flatMap((name) => {
    const file = join(directory, name);
    if (!existsSync(file)) return [];
    const found = statSync(file);
    if (!found.isDirectory()) return [{ path: name, file, size: found.size }];
    const inside = readdirSync(file).sort();
    return filesBelow(
      directory,
      inside.map((one) => `${name}/${one}`),
    );
  });
}
