import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../packaging/build/run.ts";

const BUILD = join(import.meta.dirname, "../../../packaging/build/main.ts");

let built: string | undefined;

/** A directory with the packages of this clone, made once for all tests; not compressed, which takes most of the time. */
export function packages(): string {
  if (built !== undefined) return built;
  const directory = mkdtempSync(join(tmpdir(), "sallyport-packages-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  build(directory);
  built = directory;
  return directory;
}

/** Builds packages into `directory`, of another version where one is given. */
export function build(directory: string, ...args: string[]): void {
  run(process.execPath, [BUILD, "--compression", "none", "--out", directory, ...args]);
}

/** The file of a package in a directory. */
export function packageFile(directory: string, name: string): string {
  const file = readdirSync(directory).find((one) => one.startsWith(`${name}_`));
  if (file === undefined) throw new Error(`there is no package ${name} in ${directory}`);
  return join(directory, file);
}
