import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";

/**
 * Replaces a file so that whoever reads it, also after a crash, finds the old or the new content whole. The new one is
 * on the disk when this returns.
 */
export function writeDurably(path: string, content: string | Iterable<Uint8Array>, mode = 0o600): void {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  try {
    const file = openSync(temporary, "wx", mode);
    try {
      for (const piece of typeof content === "string" ? [Buffer.from(content)] : content)
        writeWhole(file, piece);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(directory);
}

/**
 * Makes our own directory with mode 0700. One that is there must be ours and closed to other writers; it is closed to
 * readers too where it is empty or has been ours before, so that a slip of the pen does not close `/tmp` or a home
 * directory. Code `config-invalid`.
 */
export function ensureOwnDirectory(path: string, uid: number, ourFile: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = statSync(path);
  if (found.uid !== uid || (found.mode & 0o022) !== 0) {
    throw new SallyportError(
      "config-invalid",
      `Others may write to ${path}; set SALLYPORT_HOME to a directory of your own, with mode 0700.`,
    );
  }
  if ((found.mode & 0o077) === 0) return;
  const entries = readdirSync(path);
  if (entries.length === 0 || entries.includes(ourFile)) chmodSync(path, 0o700);
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
