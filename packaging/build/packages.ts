import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { bundle, type Program, ROOT } from "./bundle.ts";
import { completions } from "./completion.ts";
import { copyright } from "./copyright.ts";
import { type Architecture, addAddons, addNode, addShim } from "./native.ts";
import { Tree } from "./tree.ts";

/** Names of the packages. */
export const PACKAGES = ["sallyport-agent", "sallyport-control-plane", "sallyport"] as const;
export type PackageName = (typeof PACKAGES)[number];

/** What a package is made of. */
interface Recipe {
  program: Program;
  /** Where the program lies. */
  directory: string;
  /** The command that people type. */
  command: string;
  /** Where V8 keeps what it has compiled; a shell expression. */
  cache: string;
  manual: string;
  section: number;
  /** The man page of its configuration file. */
  configuration?: string;
  /** Puts in what only this package has; returns the paths that may be executed. */
  add(tree: Tree, context: BuildContext): string[];
}

/** What all packages of one build share. */
export interface BuildContext {
  architecture: Architecture;
  /** A directory to work in. */
  scratch: string;
  /** Debian's version of the packages. */
  version: string;
  /** Time of every file, in seconds since the epoch. */
  epoch: number;
}

const MAINTAINER = "The Sallyport authors <maintainers@sallyport.example>";
const UNITS = join(ROOT, "packaging/systemd");

const RECIPES: Record<PackageName, Recipe> = {
  "sallyport-agent": {
    program: "agent",
    directory: "/usr/lib/sallyport/agent",
    command: "/usr/sbin/sallyport-agent",
    cache: "/var/cache/sallyport/agent",
    manual: "agent/man/sallyport-agent.8",
    section: 8,
    configuration: "agent/man/sallyport-agent.yaml.5",
    add(tree, { architecture, scratch }) {
      addAddons(tree, "/usr/lib/sallyport/agent/node_modules", architecture);
      addShim(tree, "/usr/lib/sallyport/shim", architecture, scratch);
      for (const unit of [
        "sallyport-agent.service",
        "sallyport-agent.socket",
        "sallyport-agent-session.socket",
        "sallyport-recorder@.service",
      ])
        tree.copy(join(UNITS, unit), `/usr/lib/systemd/system/${unit}`);
      tree.copy(join(UNITS, "sallyport-agent.sysusers"), "/usr/lib/sysusers.d/sallyport-agent.conf");
      tree.copy(join(ROOT, "packaging/deb/sallyport-agent/agent.yaml"), "/etc/sallyport/agent.yaml");
      tree.directory("/etc/sallyport/policy.d");
      return ["/usr/lib/sallyport/shim"];
    },
  },
  "sallyport-control-plane": {
    program: "control-plane",
    directory: "/usr/lib/sallyport-control-plane",
    command: "/usr/sbin/sallyport-control-plane",
    cache: "/var/cache/sallyport-control-plane",
    manual: "control-plane/man/sallyport-control-plane.8",
    section: 8,
    configuration: "control-plane/man/sallyport-control-plane.yaml.5",
    add(tree) {
      const modules = "/usr/lib/sallyport-control-plane/node_modules/asciinema-player";
      const player = join(ROOT, "node_modules/asciinema-player");
      tree.copy(join(player, "package.json"), `${modules}/package.json`);
      for (const file of ["asciinema-player.min.js", "asciinema-player.css"])
        tree.copy(join(player, "dist/bundle", file), `${modules}/dist/bundle/${file}`);
      tree.copyAll(join(ROOT, "control-plane/src/web/assets"), "/usr/lib/sallyport-control-plane/assets");
      const unit = "sallyport-control-plane.service";
      tree.copy(join(UNITS, unit), `/usr/lib/systemd/system/${unit}`);
      tree.copy(
        join(UNITS, "sallyport-control-plane.sysusers"),
        "/usr/lib/sysusers.d/sallyport-control-plane.conf",
      );
      const profile = join(ROOT, "packaging/apparmor/sallyport-control-plane");
      tree.copy(profile, "/etc/apparmor.d/sallyport-control-plane");
      return [];
    },
  },
  sallyport: {
    program: "client",
    directory: "/usr/lib/sallyport-client",
    command: "/usr/bin/sallyport",
    cache: `\${XDG_CACHE_HOME:-$HOME/.cache}/sallyport/code`,
    manual: "client/man/sallyport.1",
    section: 1,
    add: () => [],
  },
};

/** Lays out the files of a package below `root`. Returns the tree, and which of its files may be executed. */
export async function layOut(
  name: PackageName,
  root: string,
  context: BuildContext,
): Promise<{ tree: Tree; executables: Set<string> }> {
  const recipe = RECIPES[name];
  const tree = new Tree(root);
  const folders = await bundle(
    recipe.program,
    tree.at(recipe.directory),
    context.version.replace(/-[^-]*$/, ""),
  );
  tree.copy(join(ROOT, "packaging/build/start.mjs"), `${recipe.directory}/start.mjs`);
  const node = `${recipe.directory}/node`;
  addNode(tree, node, context.architecture, context.scratch);
  tree.write(recipe.command, wrapper(recipe), 0o755);
  const own = recipe.add(tree, context);
  const overrides = join(ROOT, "packaging/deb", name, "lintian-overrides");
  if (existsSync(overrides)) tree.copy(overrides, `/usr/share/lintian/overrides/${name}`);
  addDocuments(tree, name, recipe, folders, context);
  return { tree, executables: new Set([node, recipe.command, ...own]) };
}

function wrapper({ directory, cache }: Recipe): string {
  return `#!/bin/sh\nSALLYPORT_CODE_CACHE="${cache}" exec ${directory}/node ${directory}/start.mjs "$@"\n`;
}

function addDocuments(
  tree: Tree,
  name: PackageName,
  recipe: Recipe,
  folders: readonly string[],
  context: BuildContext,
): void {
  const command = recipe.command.split("/").at(-1) ?? "";
  const page = readFileSync(join(ROOT, recipe.manual));
  tree.write(`/usr/share/man/man${recipe.section}/${command}.${recipe.section}.gz`, compressed(page));
  if (recipe.configuration !== undefined)
    tree.write(
      `/usr/share/man/man5/${basename(recipe.configuration)}.gz`,
      compressed(readFileSync(join(ROOT, recipe.configuration))),
    );
  const documents = `/usr/share/doc/${name}`;
  const addons = name === "sallyport-agent" ? ["node_modules/koffi", "node_modules/node-pty"] : [];
  tree.write(`${documents}/copyright`, copyright([...new Set([...folders, ...addons])].sort()));
  tree.write(`${documents}/changelog.Debian.gz`, compressed(Buffer.from(debianChangelog(context))));
  tree.write(`${documents}/changelog.gz`, compressed(readFileSync(join(ROOT, "CHANGELOG.md"))));
  const { bash, zsh } = completions(command, [process.execPath, tree.at(`${recipe.directory}/start.mjs`)]);
  tree.write(`/usr/share/bash-completion/completions/${command}`, bash);
  tree.write(`/usr/share/zsh/vendor-completions/_${command}`, zsh);
}

/** As Debian has it (deb-changelog(5)); what changed is in changelog.gz. */
function debianChangelog({ version, epoch }: BuildContext): string {
  const date = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
  return `sallyport (${version}) unstable; urgency=medium\n\n  * Release ${version}: see changelog.gz.\n\n -- ${MAINTAINER}  ${date}\n`;
}

/** gzip -9n: no name and no time in it. */
function compressed(bytes: Uint8Array): Uint8Array {
  return gzipSync(bytes, { level: 9 });
}
