import {
  chmodSync,
  copyFileSync,
  cpSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** The files of a package, as they will lie on the machine. Paths are those of the machine. */
export class Tree {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    mkdirSync(root, { recursive: true });
  }

  /** Where a path of the package is now. */
  at(path: string): string {
    return join(this.root, path);
  }

  /** Copies a file, with this mode. */
  copy(from: string, path: string, mode = 0o644): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    copyFileSync(from, this.at(path));
    chmodSync(this.at(path), mode);
  }

  /** Copies a directory with what `wanted` accepts. */
  copyAll(from: string, path: string, wanted: (source: string) => boolean = () => true): void {
    cpSync(from, this.at(path), { recursive: true, filter: wanted, dereference: true });
  }

  /** Writes a file. */
  write(path: string, text: string | Uint8Array, mode = 0o644): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), text);
    chmodSync(this.at(path), mode);
  }

  link(path: string, target: string): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    symlinkSync(target, this.at(path));
  }

  /** An empty directory that belongs to the package. */
  directory(path: string, mode = 0o755): void {
    mkdirSync(this.at(path), { recursive: true });
    chmodSync(this.at(path), mode);
  }

  /** Every path below the root, directories before what is in them, in an order that is always the same. */
  paths(): { path: string; kind: "directory" | "file" | "link" }[] {
    const walk = (directory: string): { path: string; kind: "directory" | "file" | "link" }[] =>
      readdirSync(this.at(directory), { withFileTypes: true })
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .flatMap((entry) => {
          const path = join(directory, entry.name);
          if (entry.isSymbolicLink()) return [{ path, kind: "link" as const }];
          if (!entry.isDirectory()) return [{ path, kind: "file" as const }];
          return [{ path, kind: "directory" as const }, ...walk(path)];
        });
    return walk("/");
  }

  /** Gives everything one time and the modes that packages have: what this machine's umask was must not show. */
  settle(epoch: number, executables: ReadonlySet<string>): void {
    for (const { path, kind } of this.paths().reverse()) {
      if (kind === "directory") chmodSync(this.at(path), 0o755);
      else if (kind === "file" && !executables.has(path)) chmodSync(this.at(path), 0o644);
      (kind === "link" ? lutimesSync : utimesSync)(this.at(path), epoch, epoch);
    }
    utimesSync(this.root, epoch, epoch);
  }
}
