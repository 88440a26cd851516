import { execFile } from "node:child_process";
import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";

const WITHIN_MS = 60_000;

/** Where the tools of the packages passwd and sudo are; what the agent was started with does not count. */
export const TOOL_ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", TZ: "UTC" };

/** What a tool left. */
interface ToolOutcome {
  status: number | null;
  output: string;
}

// shadow's tools lock /etc/passwd and give up when it is locked: one at a time.
let last: Promise<unknown> = Promise.resolve();

/** Runs one of the system's tools, never by a shell, after those before it; whatever its exit status. */
export function runTool(program: string, args: readonly string[]): Promise<ToolOutcome> {
  const outcome = last.then(() => execute(program, args));
  last = outcome;
  return outcome;
}

/** Like {@link runTool}; code `internal` when the tool fails, with what it said. */
export async function mustRunTool(program: string, args: readonly string[]): Promise<string> {
  const { status, output } = await runTool(program, args);
  if (status === 0) return output;
  const said = printable(output.trim().split("\n").at(-1) ?? "", 300);
  throw new SallyportError("internal", `${program} failed (${status ?? "not run"}): ${said}`);
}

function execute(program: string, args: readonly string[]): Promise<ToolOutcome> {
  const options = { env: TOOL_ENVIRONMENT, cwd: "/", timeout: WITHIN_MS, killSignal: "SIGKILL" as const };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : null;
      resolve({ status, output: status === null ? String(error?.message) : stdout + stderr });
    });
  });
}
