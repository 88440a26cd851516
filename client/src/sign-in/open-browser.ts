import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Context } from "../context.ts";

/**
 * The argument list that opens `url`: `$BROWSER` (the first of a colon-separated list; `%s` stands for the address),
 * else what the system has. Never a shell: the address comes from outside.
 */
export function browserCommand(
  context: Pick<Context, "env" | "platform">,
  url: string,
): [string, ...string[]] {
  const browser = context.env.BROWSER?.trim();
  if (!browser) return [context.platform === "darwin" ? "open" : "xdg-open", url];
  if (existsSync(browser)) return [browser, url];
  const [first = browser] = browser.split(":");
  const [program = first, ...words] = first.split(/\s+/);
  const placed = words.map((word) => word.replaceAll("%s", url));
  return words.some((word) => word.includes("%s")) ? [program, ...placed] : [program, ...words, url];
}

/** Starts the browser and leaves it alone. One that cannot be started is no failure: the address is printed as well. */
export function openBrowser(context: Pick<Context, "env" | "platform">, url: string): void {
  const [program, ...args] = browserCommand(context, url);
  const child = spawn(program, args, { detached: true, stdio: "ignore" });
  child.on("error", () => undefined);
  child.unref();
}
