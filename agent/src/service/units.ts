import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { SallyportError } from "@sallyport/core/errors.ts";

const SOCKETS = ["sallyport-agent.socket", "sallyport-agent-session.socket"];
const SERVICE = "sallyport-agent.service";
const RECORDERS = "sallyport-recorder@*.service";
const UNIT_DIRECTORIES = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
const TIMEOUT_MS = 60_000;

/** True where systemd runs this host and has the units of our package. */
export function hasUnits(): boolean {
  return (
    existsSync("/run/systemd/system") &&
    UNIT_DIRECTORIES.some((directory) => existsSync(`${directory}/${SOCKETS[0]}`))
  );
}

/** Starts the sockets and the agent, and resolves when it answers logins. Code `internal`, with what systemd says. */
export async function startUnits(): Promise<void> {
  await systemctl("start", ...SOCKETS, SERVICE);
}

/** Stops the agent and its sockets; recorders and their sessions stay. Code `internal`. */
export async function stopAgentUnits(): Promise<void> {
  await systemctl("stop", SERVICE, ...SOCKETS);
}

/** Has the recorders end, each when its last session is over. Code `internal`. */
export async function stopRecorderUnits(): Promise<void> {
  await systemctl("stop", RECORDERS);
}

async function systemctl(verb: string, ...units: string[]): Promise<void> {
  try {
    await promisify(execFile)("systemctl", [verb, ...units], { timeout: TIMEOUT_MS });
  } catch (cause) {
    const said = ((cause as { stderr?: string }).stderr ?? "").trim().split("\n")[0] ?? "";
    throw new SallyportError(
      "internal",
      `systemctl ${verb} ${SERVICE} failed: ${said || "no answer"}. Look: journalctl -u sallyport-agent`,
      { cause },
    );
  }
}
