import { spawn } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { prepareTransfer } from "../../../../../agent/src/files/prepare-transfer.ts";
import { realPath } from "../../../../../agent/src/files/real-path.ts";

/*
 * Stands where ssh would be: `scp -S` and `rsync -e` run it with a host and the command for the far side. It runs what
 * prepareTransfer makes of that command, with the filter between, and exits like it; 126 for what is refused.
 */

const [settings = "", ...said] = process.argv.slice(2);
const { grants, home, events } = JSON.parse(readFileSync(settings, "utf8"));
// Like ssh(1): options first, then the host, and the words of the command joined.
const line = said.slice(said.indexOf("host") + 1).join(" ");
const protocol = /^\S*rsync /.test(line) ? "rsync" : "legacy-scp";
const prepared = prepareTransfer(protocol, line, grants, { home, real: realPath });
appendFileSync(events, `${JSON.stringify({ line, ...prepared })}\n`);
if ("detail" in prepared) {
  process.stderr.write(`${prepared.detail}\n`);
  process.exit(126);
}
// Like the shim's, its standard error is a pipe; Node would make it a socket.
const script = '{ "$@" 2>&1 >&3 | cat >&2; } 3>&1';
const limit = prepared.largestFile === null ? [] : ["prlimit", `--fsize=${prepared.largestFile}`];
const child = spawn("bash", ["-o", "pipefail", "-c", script, "-", ...limit, ...prepared.argv], {
  cwd: home,
  env: { PATH: "/usr/bin:/bin", HOME: home, LANG: "C.UTF-8" },
});
const { stdin, stdout, stderr } = child;
const filter = prepared.filter({
  toServer: (bytes) => stdin.write(Buffer.from(bytes)),
  toClient: (bytes) => process.stdout.write(Buffer.from(bytes)),
  event: (event) => appendFileSync(events, `${JSON.stringify(event)}\n`),
  broken: (message) => {
    process.stderr.write(`broken: ${message}\n`);
    child.kill();
  },
});
stdin.on("error", () => {});
process.stdout.on("error", () => {});
process.stdin.on("data", (bytes: Buffer) => filter.fromClient(bytes));
process.stdin.on("end", () => stdin.end());
stdout.on("data", (bytes: Buffer) => filter.fromServer(bytes));
stderr.on("data", (bytes: Buffer) => process.stderr.write(filter.fromServerError?.(bytes) ?? bytes));
child.on("close", async (status, signal) => {
  filter.end();
  await filter.settled?.();
  process.exitCode = signal === null ? (status ?? 255) : 137;
  process.stdin.destroy();
});
