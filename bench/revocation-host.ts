import { setTimeout as pause } from "node:timers/promises";
import { until } from "../demo/light-host/until.ts";
import { agentLog } from "../test/fixtures/agent-log.ts";
import { TerminalClient } from "../test/fixtures/terminal.ts";
import { amount, type Figure } from "./figure.ts";
import type { Pair } from "./pair.ts";
import { median, p99 } from "./statistics.ts";

const TARGET_MS = 150;
const MEMBER = "alice@vendor.test";

/**
 * From a revocation's arrival at the agent to the death of the shell, and of what was left behind: the agent's log says when it came, and
 * a process beside the shell's looks for it every millisecond.
 */
export async function benchRevocationHost({ world, person }: Pair, runs = 30): Promise<Figure[]> {
  const sam = await world.signedIn("sam");
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    // Who was revoked up to a second may sign in again in the next one.
    const signsIn = async () => (await person.signIn({ force: true })).status === 0;
    if (!(await until(signsIn, 10_000))) throw new Error("alice cannot sign in");
    const terminal = new TerminalClient(person.ssh("deploy@web-1"), { env: person.env });
    await terminal.shows(/\$ $/);
    terminal.type("echo shell=$$\r");
    await terminal.shows(/shell=\d+\r\n/);
    const inside = /shell=(\d+)\r\n/.exec(terminal.text)?.[1] ?? "";
    const shell = await world.host.run([
      "sh",
      "-c",
      `readlink /proc/${inside}/ns/pid >/dev/null && echo ${inside}`,
    ]);
    if (shell.stdout.trim() !== inside) throw new Error("the shell is not there");
    const before = agentLog(world).length;
    const watch = world.host.run([
      process.execPath,
      "-e",
      `const fs = require("fs"); const dead = () => { try { return fs.readFileSync("/proc/${inside}/stat", "utf8").split(") ")[1][0] === "Z"; } catch { return true; } };
       const look = () => { if (dead()) process.stdout.write(String(Date.now())); else setTimeout(look, 1); }; look();`,
    ]);
    const revoked = sam.sallyport(["revoke", "--member", MEMBER, "--sign-ins-only", "--reason", "bench"]);
    const died = Number((await watch).stdout);
    await revoked;
    await terminal.exited;
    const line = agentLog(world)
      .slice(before)
      .find(({ message }) => message === "revocations arrived");
    times.push(died - Date.parse(String(line?.timestamp)));
    await pause(100);
  }
  return [
    amount("revocation-host", "arrival to the shell's death: median", "ms", median(times), TARGET_MS),
    amount("revocation-host", "  99th percentile", "ms", p99(times)),
  ];
}
