import { chmodSync, chownSync, existsSync, lstatSync, opendirSync, truncateSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { parseCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { sameHash } from "@sallyport/core/transparency/hashing.ts";
import { treeHeadAt } from "../audit/tree-head.ts";
import { treeSize } from "../database/audit-tree.ts";
import { openDatabase } from "../database/open-database.ts";
import { type BackupHead, hashFile, MANIFEST, readManifest } from "./manifest.ts";

/** Who files are given to. */
export interface Owner {
  uid: number;
  gid: number;
}

/** What was verified. */
export interface VerifiedBackup {
  head: BackupHead;
  files: number;
}

/**
 * Verifies an unpacked backup: every file is what the manifest says, none is missing, none is more, and the database has what its newest
 * checkpoint signed. All is on the disk then, and for its owner only. Code `message-malformed`, naming the file.
 */
export async function verifyBackup(
  directory: string,
  { owner, onBytes }: { owner: Owner | undefined; onBytes: (count: number) => void },
): Promise<VerifiedBackup> {
  if (!isFile(join(directory, MANIFEST)))
    throw damaged(`there is no ${MANIFEST} in it: it is no backup of a control plane, or it was cut off`);
  let found = takeTree(directory, owner) - 1; // the manifest is not in itself
  const { head, files } = await readManifest(join(directory, MANIFEST));
  let count = 0;
  for await (const { path, size, sha256 } of files) {
    const file = join(directory, path);
    if (!isFile(file)) throw damaged(`${path} is missing in it`);
    // A recording may have grown between its being counted and its being archived.
    const isGrown = lstatSync(file).size > size;
    if (isGrown && !path.startsWith("recordings/")) throw damaged(`${path} is not what was backed up`);
    if ((await hashFile(file, size, onBytes)) !== sha256) throw damaged(`${path} is not what was backed up`);
    if (isGrown) truncateSync(file, size);
    await sync(file);
    count++;
    found--;
  }
  if (found !== 0) throw damaged(`it has files that ${MANIFEST} does not name`);
  if (head.database === "sqlite") await verifyDatabase(join(directory, "sallyport.db"), head.checkpoint);
  // It is of another user's now, and has been brought up to date.
  takeTree(directory, owner);
  return { head, files: count };
}

/** Opened as by a start: a database of a newer Sallyport is found out before it is in place. */
async function verifyDatabase(file: string, checkpoint: string | null): Promise<void> {
  if (!existsSync(file)) throw damaged("sallyport.db is missing in it");
  const db = await openDatabase(file);
  try {
    if (checkpoint === null) return;
    const { size, root } = parseCheckpoint(checkpoint);
    if ((await treeSize(db)) < size || !sameHash((await treeHeadAt(db, size)).root, root))
      throw damaged("sallyport.db does not have the audit log that its newest checkpoint signed");
  } finally {
    await db.destroy();
  }
}

/** Makes all files and directories the owner's, and nobody else's. Returns how many files there are; refuses whatever is neither. */
function takeTree(directory: string, owner: Owner | undefined): number {
  let files = 0;
  take(directory, 0o700, owner);
  const entries = opendirSync(directory);
  try {
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) files += takeTree(path, owner);
      else if (entry.isFile()) {
        take(path, 0o600, owner);
        files++;
      } else throw damaged(`${entry.name} in it is neither a file nor a directory`);
    }
  } finally {
    entries.closeSync();
  }
  return files;
}

function take(path: string, mode: number, owner: Owner | undefined): void {
  chmodSync(path, mode);
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function damaged(why: string): SallyportError {
  return new SallyportError(
    "message-malformed",
    `The backup is not restored, and nothing was changed: ${why}.`,
  );
}
