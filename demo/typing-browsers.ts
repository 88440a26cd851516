import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CLONE } from "./light-host/agent.ts";
import { shellWords } from "./light-host/shell-words.ts";

/**
 * Writes a program for each person that can be their $BROWSER where the machine has none: it signs them in at the IdP.
 * Returns the directory they are in, each under the person's name.
 */
export function writeTypingBrowsers(directory: string, names: readonly string[]): string {
  const programs = join(directory, "browser");
  mkdirSync(programs);
  for (const name of names) {
    const argv = [process.execPath, join(CLONE, "demo/type-into-form.ts"), directory, name];
    writeFileSync(join(programs, name), `#!/bin/sh\nexec ${shellWords(argv)} "$1"\n`, { mode: 0o700 });
  }
  return programs;
}
