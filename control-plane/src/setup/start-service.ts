import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { SallyportError } from "@sallyport/core/errors.ts";
import { isListening } from "../backup/in-use.ts";
import type { Configuration } from "../config/configuration.ts";

const UNIT = "sallyport-control-plane.service";
const READY_WITHIN_MS = 30_000;
const LOOK_MS = 250;
const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };

const run = promisify(execFile);

/** True where systemd is the first process, and has the package's unit. */
export function hasService(): boolean {
  return existsSync("/run/systemd/system") && existsSync(`/usr/lib/systemd/system/${UNIT}`);
}

/** Starts the service, now and at every boot, and waits until it takes connections. Code `not-ready` when it does not. */
export async function startService({ listen }: Pick<Configuration, "listen">): Promise<void> {
  const failed = (cause?: unknown) =>
    new SallyportError(
      "not-ready",
      `The service does not come up. What it says: journalctl -u ${UNIT} -n 20. Then run setup again: it goes on from here.`,
      { cause },
    );
  try {
    await run("systemctl", ["--quiet", "reset-failed", UNIT], { env: ENVIRONMENT }).catch(() => {});
    await run("systemctl", ["--quiet", "enable", "--now", UNIT], { env: ENVIRONMENT });
  } catch (cause) {
    throw failed(cause);
  }
  for (let waited = 0; waited < READY_WITHIN_MS; waited += LOOK_MS) {
    if (await isListening(listen.address, listen.port)) return;
    await pause(LOOK_MS);
  }
  throw failed();
}
