import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { RevocationList } from "@sallyport/agent/policy/revocation-list.ts";

const [path = ""] = process.argv.slice(2);
const list = new RevocationList(path);
const begun = performance.now();
list.load();
const milliseconds = performance.now() - begun;
const sequence = list.sequence; // the list is in use until here
for (let round = 0; round < 3; round++) {
  globalThis.gc?.();
  await pause(50);
}
const [, kilobytes = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
if (list.sequence !== sequence) throw new Error("the list has changed");
process.stdout.write(JSON.stringify({ milliseconds, megabytes: Number(kilobytes) / 1024 }));
