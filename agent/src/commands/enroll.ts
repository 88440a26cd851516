import { setTimeout as pause } from "node:timers/promises";
import type { AgentConfig } from "../configuration/agent-config.ts";
import { layOutPaths, type Paths } from "../configuration/paths.ts";
import { doctorCommand } from "../doctor/doctor-command.ts";
import { enrol } from "../enrolment/enrol.ts";
import { readJoinToken, removeEnrolmentFile } from "../enrolment/enrolment-file.ts";
import { reloadSshd } from "../host-certificates/reload-sshd.ts";
import { hasUnits, startUnits } from "../service/units.ts";
import { askStatus } from "../status/ask-status.ts";
import { readConfig } from "./read-config.ts";

/** For the first policy; what keeps it away, doctor says. */
const POLICY_MS = 20_000;
const LOOK_MS = 100;
/** Exit status of doctor where nothing is worse; an unattended installation goes on then. */
const WARNINGS = 3;

/** What `sallyport-agent enroll` needs. */
export interface EnrollOptions {
  config: string;
  /** A path, or `-` for standard input; left out: what enroll.yaml says. A token is never an argument. */
  tokenFile: string | undefined;
  version: string;
  colours: boolean;
  /** Seconds since the epoch. */
  now(): number;
  say(sentence: string): void;
  write(text: string): void;
}

/**
 * `sallyport-agent enroll`: pins trust, puts sshd's drop-in in place, and, where the package's units are there, has sshd read it, starts
 * the agent, waits for the first policy and lets doctor look. Resolves with the exit status: 4 where doctor finds something wrong.
 */
export async function enrollCommand(options: EnrollOptions): Promise<number> {
  const { say } = options;
  const config = readConfig(options.config);
  const token = readJoinToken(options.tokenFile, config.trustFile);
  const paths = layOutPaths(config.stateDirectory);
  const { hostName, keyFingerprint } = await enrol({ config, paths, token, say });
  removeEnrolmentFile(config.trustFile);
  say(
    `Enrolled as ${hostName}. Its recordings are signed by ${keyFingerprint}: note it, to compare with: sallyport verify`,
  );
  if (!hasUnits()) {
    say("Now reload sshd (systemctl reload ssh) and start the agent: sallyport-agent run");
    return 0;
  }
  return start(options, config, paths);
}

async function start(options: EnrollOptions, config: AgentConfig, paths: Paths): Promise<number> {
  const { say, colours, version, now, write } = options;
  say("Having sshd read its drop-in, and starting the agent.");
  reloadSshd(config.sshd);
  await startUnits();
  const policy = await firstPolicy(paths);
  say(
    policy === null
      ? "No policy has come yet, or no recorder is ready."
      : `The first policy is here: version ${policy}.`,
  );
  const found = await doctorCommand({ config: options.config, json: false, colours, version, now, write });
  return found === WARNINGS ? 0 : found;
}

/** The version of the policy, once there is one and sessions can be recorded; null where that takes too long. */
async function firstPolicy(paths: Paths): Promise<number | null> {
  for (let waited = 0; waited < POLICY_MS; waited += LOOK_MS) {
    const status = await askStatus(paths.statusSocket).catch(() => null);
    if (status?.policy != null && status.recorders.some(({ draining }) => !draining))
      return status.policy.version;
    await pause(LOOK_MS);
  }
  return null;
}
