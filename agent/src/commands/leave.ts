import { RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import { PersonalAccounts } from "../accounts/personal-accounts.ts";
import type { AgentConfig } from "../configuration/agent-config.ts";
import { layOutPaths, type Paths } from "../configuration/paths.ts";
import { drainConnections, endConnections, uploadWhatWaits } from "../enrolment/end-sessions.ts";
import { leave, refuseWithRecordings } from "../enrolment/leave.ts";
import { certificatesIn, takeDropInAway } from "../enrolment/sshd-drop-in.ts";
import { Accounts } from "../logins/accounts.ts";
import { hasUnits, stopAgentUnits, stopRecorderUnits } from "../service/units.ts";
import { askStatus } from "../status/ask-status.ts";
import { readConfig } from "./read-config.ts";

/** For recordings to be uploaded; with `force` somebody waits for a package to be removed. */
const UPLOAD_MS = 20_000;
const UPLOAD_FORCED_MS = 8_000;

export interface LeaveOptions {
  /** Path of the configuration. */
  config: string;
  force: boolean;
  /** What becomes of the sessions that are open. */
  sessions: "end" | "drain";
  say(sentence: string): void;
  /** Seconds since the epoch. */
  now(): number;
}

/**
 * `sallyport-agent leave`. Where the package's units are there it undoes all: nobody new comes in, sessions end, what they left is
 * uploaded, the units stop, then keys and accounts go. When that stops before the units do, contractors are let in as before.
 */
export async function leaveCommand(options: LeaveOptions): Promise<void> {
  const { force, say, now } = options;
  const config = readConfig(options.config);
  const paths = layOutPaths(config.stateDirectory);
  const isService = hasUnits();
  const certificates = certificatesIn(config.sshdDropIn);
  if (isService) await endService(options, config, paths);
  leave({ config, paths, certificates, force, say });
  // Nobody can log in any more; now what the members have here goes, sudo rules first.
  const personal = new PersonalAccounts({
    ...{ config, now, accounts: new Accounts() },
    policy: { bundle: null, revocations: new RevocationIndex(), local: () => [] },
    sessionsAs: () => 0,
    report: (type, account, _memberId, detail) => {
      if (type === "account-removed") say(`Removed account ${account}`);
      else say(account === "" ? detail : `Account ${account}: ${detail}`);
    },
  });
  await personal.removeAll();
  if (isService) say("This host is no longer enrolled.");
  else say("This host is no longer enrolled. Stop the agent and reload sshd: systemctl reload ssh");
}

async function endService(options: LeaveOptions, config: AgentConfig, paths: Paths): Promise<void> {
  const { force, sessions, say } = options;
  const status = await askStatus(paths.statusSocket).catch(() => null);
  // What nobody uploads will be here at the end too.
  if (!force && status?.uplink.connectedSince == null) refuseWithRecordings(paths);
  const putBack = takeDropInAway(config, say);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, onSignal);
  try {
    if (sessions === "drain") await drainConnections(paths, say, interrupt.signal);
    else await endConnections(paths, say);
    await uploadWhatWaits(paths, say, force ? UPLOAD_FORCED_MS : UPLOAD_MS, interrupt.signal);
    if (!force) refuseWithRecordings(paths);
    say("Stopping the agent.");
    await stopAgentUnits();
  } catch (error) {
    if (!force) {
      putBack();
      throw error;
    }
    say(String((error as Error).message));
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
  }
  // Who was on the way in while sshd still had our settings; with the agent gone nobody is admitted any more.
  await endConnections(paths, say);
  await stopRecorderUnits().catch((error: Error) => say(error.message));
}
