import { join } from "node:path";
import { build } from "esbuild";

/** Where the sources are. */
export const ROOT = join(import.meta.dirname, "../..");

/** The programs that are bundled, and their entry. */
const PROGRAMS = {
  agent: "agent/src/main.ts",
  "control-plane": "control-plane/src/main.ts",
  client: "client/src/main.ts",
} as const;
export type Program = keyof typeof PROGRAMS;

/** What stays outside: native addons come as packages of their own, the rest is for other runtimes. */
const EXTERNAL = ["koffi", "node-pty", "pg-native", "cloudflare:sockets"];
/** Dependencies that are CommonJS ask for Node's own modules so. */
const REQUIRE =
  'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);';

/**
 * Bundles a program with all that it imports into `directory`: `main.mjs`, and a file for whatever is loaded only when it is asked for. The
 * same sources give the same bytes. Returns the npm packages that are in it, by their folders.
 */
export async function bundle(program: Program, directory: string, version: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { main: PROGRAMS[program] },
    outdir: directory,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    outExtension: { ".js": ".mjs" },
    external: EXTERNAL,
    define: { SALLYPORT_VERSION: JSON.stringify(version) },
    banner: { js: REQUIRE },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  const folders = Object.keys(metafile.inputs).flatMap(
    (input) => /^(node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? [],
  );
  return [...new Set(folders)].sort();
}
