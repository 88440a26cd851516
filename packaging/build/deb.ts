import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "./native.ts";
import { run } from "./run.ts";
import type { Tree } from "./tree.ts";

/** Scripts and lists that dpkg knows (deb(5), deb-control(5)). */
const CONTROL_FILES = [
  "preinst",
  "postinst",
  "prerm",
  "postrm",
  "config",
  "templates",
  "conffiles",
  "triggers",
];
const SCRIPTS: readonly string[] = ["preinst", "postinst", "prerm", "postrm", "config"];

/** A package to be made. */
export interface DebOptions {
  name: string;
  version: string;
  architecture: Architecture;
  tree: Tree;
  /** Directory with `control` and maintainer scripts; `@VERSION@`, `@ARCHITECTURE@` and `@SIZE@` in `control` are filled in. */
  recipe: string;
  /** Directory for the finished package. */
  out: string;
  /** Time of every file in it, in seconds since the epoch. */
  epoch: number;
  executables: ReadonlySet<string>;
  /** As `dpkg-deb -Z` takes it. */
  compression: "xz" | "gzip" | "none";
}

/** Makes the package; the same input gives the same bytes. Returns its path. */
export function makeDeb(options: DebOptions): string {
  const { name, version, architecture, tree, recipe, out, epoch, executables, compression } = options;
  const files = tree.paths().filter(({ kind }) => kind === "file");
  const size = files.reduce((sum, { path }) => sum + Math.ceil(statSync(tree.at(path)).size / 1024), 0);
  const fill = (text: string): string =>
    text
      .replaceAll("@VERSION@", version)
      .replaceAll("@ARCHITECTURE@", architecture)
      .replaceAll("@SIZE@", String(size));
  const sums = files.map(({ path }) => `${md5(tree.at(path))}  ${path.slice(1)}\n`).join("");
  tree.write("/DEBIAN/control", fill(readFileSync(join(recipe, "control"), "utf8")));
  tree.write("/DEBIAN/md5sums", sums);
  for (const file of CONTROL_FILES) {
    const from = join(recipe, file);
    if (!existsSync(from)) continue;
    tree.write(`/DEBIAN/${file}`, fill(readFileSync(from, "utf8")), SCRIPTS.includes(file) ? 0o755 : 0o644);
  }
  tree.settle(epoch, new Set([...executables, ...SCRIPTS.map((script) => `/DEBIAN/${script}`)]));
  const path = join(out, `${name}_${version}_${architecture}.deb`);
  run(
    "dpkg-deb",
    [
      "--root-owner-group",
      `-Z${compression}`,
      ...(compression === "gzip" ? ["-z1"] : []),
      "--build",
      tree.root,
      path,
    ],
    {
      ...process.env,
      SOURCE_DATE_EPOCH: String(epoch),
    },
  );
  return path;
}

function md5(path: string): string {
  return createHash("md5").update(readFileSync(path)).digest("hex");
}
