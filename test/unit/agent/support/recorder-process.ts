import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { processStat } from "@sallyport/agent/kernel/processes.ts";
import { Recorder } from "@sallyport/agent/recorder/recorder.ts";

/* A recorder as the agent would start it, in the directories that a test gives it. It ends with its standard input. */

const [directory = "", spool = ""] = process.argv.slice(2);
const self = processStat(process.pid);
if (self === null) throw new Error("no /proc");
new Recorder({
  version: "test",
  spool,
  socketPath: join(directory, "recorder.sock"),
  controlPath: join(directory, "control.sock"),
  hostKey: createPrivateKey(readFileSync(join(directory, "host.key"))),
  process: { pid: self.pid, startTime: self.startTime },
}).start();
process.stdin.on("end", () => process.exit(1)).resume();
