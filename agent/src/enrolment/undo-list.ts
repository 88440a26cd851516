import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";

/** Changes to files that are undone together, the last first, when one of them cannot be made. */
export class UndoList {
  readonly #steps: (() => void)[] = [];

  add(step: () => void): void {
    this.#steps.push(step);
  }

  /** Makes a directory, and those above it; nothing where it is there. */
  makeDirectory(path: string, mode: number): void {
    if (existsSync(path)) return;
    this.makeDirectory(dirname(path), 0o755);
    mkdirSync(path);
    chmodSync(path, mode);
    this.add(() => rmdirSync(path));
  }

  /** Writes a file, whole or not at all. */
  write(path: string, content: string | Uint8Array, mode: number): void {
    const before = existsSync(path) ? { bytes: readFileSync(path), mode: statSync(path).mode & 0o777 } : null;
    writeFileDurably(path, content, mode);
    this.add(() => {
      if (before === null) rmSync(path, { force: true });
      else writeFileDurably(path, before.bytes, before.mode);
    });
  }

  /** Undoes what was done so far. What cannot be undone is left as it is; the rest is undone all the same. */
  all(): void {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        step();
      } catch {
        // a directory that somebody else has put something into, or a disk that takes nothing
      }
    }
  }
}
