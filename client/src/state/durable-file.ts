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
  const replacement = new Replacement(path, mode);
  try {
    for (const piece of typeof content === "string" ? [Buffer.from(content)] : content)
      replacement.write(piece);
    replacement.commit();
  } finally {
    replacement.close();
  }
}

/** {@link writeDurably} for what comes little by little. */
export async function writeDurablyAsItComes(
  path: string,
  content: AsyncIterable<Uint8Array>,
  mode = 0o600,
): Promise<void> {
  const replacement = new Replacement(path, mode);
  try {
    for await (const piece of content) replacement.write(piece);
    replacement.commit();
  } finally {
    replacement.close();
  }
}

/** A file that is written beside another and takes its place when it is whole. */
class Replacement {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: number;

  constructor(path: string, mode: number) {
    this.#path = path;
    this.#temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
    this.#file = openSync(this.#temporary, "wx", mode);
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
  }

  commit(): void {
    fsyncSync(this.#file);
    renameSync(this.#temporary, this.#path);
    syncDirectory(dirname(this.#path));
  }

  /** Removes what was not committed. */
  close(): void {
    closeSync(this.#file);
    rmSync(this.#temporary, { force: true });
  }
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

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
