import { setTimeout as pause } from "node:timers/promises";
import { SallyportError } from "@sallyport/core/errors.ts";
import { listRecordings } from "@sallyport/uplink/spool/layout.ts";
import type { Paths } from "../configuration/paths.ts";
import { Cgroups } from "../kernel/cgroups.ts";
import { LoginRegistry } from "../logins/login-registry.ts";
import { endLogin } from "../sessions/end-processes.ts";
import { askStatus } from "../status/ask-status.ts";
import { plural } from "../status/units.ts";

const LOOK_MS = 200;
/** Logins that were on their way in may still appear. */
const ROUNDS = 5;
/** For an agent that has just lost the control plane to find it again. */
const CONNECT_MS = 3_000;

type Say = (sentence: string) => void;

/** Ends every connection of contractors, with all that runs in it. */
export async function endConnections(paths: Paths, say: Say): Promise<void> {
  const cgroups = new Cgroups();
  for (let round = 0; round < ROUNDS; round++) {
    const logins = LoginRegistry.admittedIn(paths.logins);
    if (logins.length === 0) return;
    say(`Ending ${plural(logins.length, "connection")} of contractors.`);
    await Promise.all(logins.map((login) => endLogin(login, cgroups)));
  }
}

/** Resolves when the last connection of contractors is over, and says how many are left. Code `conflict` when `signal` comes first. */
export async function drainConnections(paths: Paths, say: Say, signal: AbortSignal): Promise<void> {
  for (let said = 0; ; ) {
    const count = LoginRegistry.admittedIn(paths.logins).length;
    if (count === 0) return;
    if (signal.aborted) throw new SallyportError("conflict", "Interrupted: this host is enrolled as before.");
    if (count !== said) say(`Waiting for ${plural(count, "connection")} to end; to stop waiting: Ctrl-C`);
    said = count;
    await pause(LOOK_MS);
  }
}

/**
 * Waits for the agent that runs to upload what waits here, recordings and events; gives up after `withinMs`, and soon where no
 * agent runs or it does not reach the control plane. Code `conflict` when `signal` comes first.
 */
export async function uploadWhatWaits(
  paths: Paths,
  say: Say,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now();
  for (let said = ""; ; ) {
    const status = await askStatus(paths.statusSocket).catch(() => null);
    if (status === null) return;
    refuseWhenInterrupted(signal);
    const recordings = listRecordings(paths.spool).length;
    const events = status.outbox.waiting;
    const elapsed = performance.now() - begun;
    const isAway = status.uplink.connectedSince === null && elapsed > CONNECT_MS;
    if (recordings + events === 0 || isAway || elapsed > withinMs) return;
    const left = `Uploading: ${plural(recordings, "recording")} and ${plural(events, "event")} left.`;
    if (left !== said) say(left);
    said = left;
    await pause(LOOK_MS);
  }
}

function refuseWhenInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw new SallyportError("conflict", "Interrupted: this host is enrolled as before.");
}
