import { setTimeout as pause } from "node:timers/promises";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { HostCounts, RevocationDetail } from "@sallyport/core/messages/revocations.ts";
import type { Context } from "../context.ts";
import { haveIt } from "../output/revocations.ts";

/** How long hosts that are connected are waited for, in seconds. */
const PATIENCE = 30;
/** How often the control plane is asked, in milliseconds. */
const BETWEEN = 500;

/** True when nobody gets in anywhere any more: every host has it, or has no lease. */
export function isEverywhere({ all, has, noLease }: HostCounts): boolean {
  return has + noLease === all;
}

/**
 * Asks how far hosts are until all that are connected have it, 30 s at most; or for as many seconds as `wait` says, until every host has it or
 * has no lease. Says so on standard error where that is a terminal. Resolves with how it stands then, with all hosts.
 */
export async function waitForHosts(
  context: Pick<Context, "stderr" | "now">,
  ask: (hosts: "all" | "missing") => Promise<RevocationDetail>,
  wait: true | number,
): Promise<RevocationDetail> {
  const end = context.now() + (wait === true ? PATIENCE : wait) * 1000;
  const line = progressLine(context);
  try {
    for (;;) {
      const counts = await countsNow(ask);
      if (counts !== undefined) line.show(`${haveIt(counts)}…`);
      const isDone = counts !== undefined && (wait === true ? counts.asked === 0 : isEverywhere(counts));
      if (isDone || context.now() + BETWEEN > end) break;
      await pause(BETWEEN);
    }
  } finally {
    line.clear();
  }
  return ask("all");
}

/** A control plane that is away for a moment is asked again. */
async function countsNow(
  ask: (hosts: "missing") => Promise<RevocationDetail>,
): Promise<HostCounts | undefined> {
  try {
    return (await ask("missing")).counts;
  } catch (error) {
    if (isSallyportError(error, "server-unreachable")) return undefined;
    throw error;
  }
}

function progressLine({ stderr }: Pick<Context, "stderr">) {
  const write = (text: string) => void (stderr.isTTY === true && stderr.write(`\r\u001b[K${text}`));
  return { show: write, clear: () => write("") };
}
