/*
 * What `sftp -D` runs in place of sftp-server: the same, behind a filter. Arguments: JSON of grants and home, and a file
 * that events are added to.
 */
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { realPath } from "@sallyport/agent/files/real-path.ts";
import { SftpFilter } from "@sallyport/agent/files/sftp/sftp-filter.ts";

const { grants, home, events } = JSON.parse(Buffer.from(process.argv[2] ?? "", "base64").toString());
const server = spawn("/usr/lib/openssh/sftp-server", [], { cwd: home, stdio: ["pipe", "pipe", "inherit"] });
const filter = new SftpFilter(
  {
    toServer: (bytes) => void server.stdin.write(Buffer.from(bytes)),
    toClient: (bytes) => void process.stdout.write(Buffer.from(bytes)),
    event: (event) => appendFileSync(events, `${JSON.stringify(event)}\n`),
    broken: (message) => {
      console.error(message);
      process.exit(3);
    },
  },
  grants,
  { home, real: realPath },
);
process.stdin.on("data", (bytes) => filter.fromClient(Buffer.from(bytes)));
process.stdin.on("end", () => server.stdin.end());
server.stdout.on("data", (bytes) => filter.fromServer(bytes));
server.stdout.on("end", () => {
  filter.end();
  process.exit(0);
});
