import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { referenceFiles } from "./files.ts";

/*
 * `npm run docs:config`: writes the configuration reference and the man pages of the configuration files, from the schemas.
 */

const ROOT = join(import.meta.dirname, "../..");

for (const [path, text] of Object.entries(referenceFiles())) {
  writeFileSync(join(ROOT, path), text);
  process.stdout.write(`${path}\n`);
}
