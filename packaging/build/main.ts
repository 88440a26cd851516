import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./bundle.ts";
import { makeDeb } from "./deb.ts";
import { ARCHITECTURES, type Architecture } from "./native.ts";
import { layOut, PACKAGES, type PackageName } from "./packages.ts";
import { run } from "./run.ts";

/*
 * `npm run deb`: makes the Debian packages in dist/. Reads arguments and environment; the rest is in the files beside it.
 */

const HELP = `Makes the Debian packages of Sallyport.

  npm run deb -- [options] [PACKAGE...]

Options:
  --architecture <name>  amd64 or arm64; default: this machine's
  --out <directory>      default: dist
  --compression <how>    xz (default), gzip, or none: quick to make, for tests
  --version <version>    default: that of package.json
  --help

PACKAGE: ${PACKAGES.join(", ")}; default: all.
SOURCE_DATE_EPOCH is the time of every file; default: that of the last commit.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    architecture: { type: "string", default: run("dpkg", ["--print-architecture"]).trim() },
    out: { type: "string", default: join(ROOT, "dist") },
    compression: { type: "string", default: "xz" },
    version: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else await main();

async function main(): Promise<void> {
  const { version: own } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    version: string;
  };
  const version = values.version ?? `${own}-1`;
  const architecture = oneOf(values.architecture, Object.keys(ARCHITECTURES) as Architecture[]);
  const compression = oneOf(values.compression, ["xz", "gzip", "none"] as const);
  const names =
    positionals.length === 0 ? PACKAGES : positionals.map((name) => oneOf<PackageName>(name, PACKAGES));
  const epoch = Number(
    process.env.SOURCE_DATE_EPOCH ?? run("git", ["-C", ROOT, "log", "-1", "--format=%ct"]),
  );
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "sallyport-deb-"));
  try {
    for (const name of names) {
      const context = { architecture, scratch: join(scratch, `${name}-work`), version, epoch };
      const { tree, executables } = await layOut(name, join(scratch, name), context);
      const recipe = join(ROOT, "packaging/deb", name);
      const path = makeDeb({
        name,
        version,
        architecture,
        tree,
        recipe,
        out,
        epoch,
        executables,
        compression,
      });
      process.stdout.write(`${path}  ${(statSync(path).size / 1e6).toFixed(1)} MB\n`);
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function oneOf<T extends string>(text: string | undefined, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  process.stderr.write(`npm run deb: ${text} is none of ${choices.join(", ")}.\n`);
  return process.exit(2);
}
