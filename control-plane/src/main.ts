import { systemRandom } from "./environment.ts";
import { createLog } from "./log.ts";
import { run } from "./program.ts";

/*
 * The control plane's program. It reads arguments, environment and clock, and wires; everything else is elsewhere.
 */

// They are secrets: nothing that is started from here gets them.
const { DATABASE_URL: databaseUrl, ...variables } = process.env;
delete process.env.DATABASE_URL;
delete process.env.AWS_SECRET_ACCESS_KEY;

process.exitCode = await run(process.argv.slice(2), {
  environment: { clock: Date.now, random: systemRandom, log: createLog() },
  databaseUrl,
  variables,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
});
