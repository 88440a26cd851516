import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./bundle.ts";
import { run } from "./run.ts";
import type { Tree } from "./tree.ts";

/** Machines that packages are made for: Debian's name, Node's, and the triplet of the compiler that makes native code for it. */
export const ARCHITECTURES = {
  amd64: { node: "x64", triplet: "x86_64-linux-gnu" },
  arm64: { node: "arm64", triplet: "aarch64-linux-gnu" },
} as const;
export type Architecture = keyof typeof ARCHITECTURES;

/** Puts Node itself at `path`, without the symbols that only a debugger wants. */
export function addNode(tree: Tree, path: string, architecture: Architecture, scratch: string): void {
  const { node, triplet } = ARCHITECTURES[architecture];
  mkdirSync(scratch, { recursive: true });
  const stripped = join(scratch, `node-${architecture}`);
  copyFileSync(join(ROOT, `node_modules/node-linux-${node}/bin/node`), stripped);
  run(strip(triplet), ["--strip-all", "--enable-deterministic-archives", stripped]);
  tree.copy(stripped, path, 0o755);
}

/** The addons that the agent loads: koffi and node-pty, with what they are loaded by. */
export function addAddons(tree: Tree, directory: string, architecture: Architecture): void {
  const { node, triplet } = ARCHITECTURES[architecture];
  const modules = join(ROOT, "node_modules");
  for (const file of ["package.json", "index.js", "src/koffi/index.js", "src/koffi/src/static.js"])
    tree.copy(join(modules, "koffi", file), `${directory}/koffi/${file}`);
  const koffi = `@koromix/koffi-linux-${node}`;
  for (const file of ["package.json", "index.js"])
    tree.copy(join(modules, koffi, file), `${directory}/${koffi}/${file}`);
  tree.copyAll(join(modules, koffi, `linux_${node}`), `${directory}/${koffi}/linux_${node}`);
  tree.copy(join(modules, "node-pty/package.json"), `${directory}/node-pty/package.json`);
  tree.copyAll(
    join(modules, "node-pty/lib"),
    `${directory}/node-pty/lib`,
    (source) => !/\.test\.js$|\.map$|[wW]indows|worker/.test(source),
  );
  const addon = `${directory}/node-pty/build/Release/pty.node`;
  tree.copy(join(modules, "node-pty/build/Release/pty.node"), addon);
  run(strip(triplet), ["--strip-unneeded", tree.at(addon)]);
}

/** The shim, built for that machine. */
export function addShim(tree: Tree, path: string, architecture: Architecture, scratch: string): void {
  const { triplet } = ARCHITECTURES[architecture];
  const sources = join(scratch, `shim-${architecture}`);
  run("cp", ["-r", join(ROOT, "agent/shim"), sources]);
  run("make", ["-s", "-C", sources, "clean"]);
  // Paths of the machine that builds must not be in what it builds.
  const flags = `-O2 -ffile-prefix-map=${sources}=. -s`;
  run("make", ["-s", "-C", sources, "sallyport-shim", `CC=${triplet}-gcc`, `CFLAGS=${flags}`]);
  tree.copy(join(sources, "sallyport-shim"), path, 0o711);
}

function strip(triplet: string): string {
  return `${triplet}-strip`;
}
