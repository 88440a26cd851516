import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FileEvent } from "@sallyport/agent/files/sftp/open-file.ts";
import type { FileGrant } from "@sallyport/core/files/file-grant.ts";
import { run } from "../../../../../fixtures/processes.ts";

const PROXY = fileURLToPath(import.meta.resolve("./sftp-proxy.ts"));

/** Runs a batch of the real sftp(1) against the real sftp-server behind a filter, without ssh between them. */
export async function sftp(
  directory: string,
  grants: readonly FileGrant[],
  batch: readonly string[],
): Promise<{ status: number | null; stdout: string; stderr: string; events: FileEvent[] }> {
  const events = join(directory, "events");
  rmSync(events, { force: true });
  const settings = Buffer.from(JSON.stringify({ grants, home: directory, events })).toString("base64");
  const server = `${process.execPath} ${PROXY} ${settings}`;
  const outcome = await run(["sftp", "-q", "-b", "-", "-D", server], {
    cwd: directory,
    env: { ...process.env, HOME: directory },
    input: batch.map((line) => `${line}\n`).join(""),
  });
  const lines = existsSync(events) ? readFileSync(events, "utf8").trim().split("\n") : [];
  return {
    status: outcome.status,
    stdout: outcome.stdout.toString(),
    stderr: outcome.stderr,
    events: lines.map((line) => JSON.parse(line)),
  };
}
