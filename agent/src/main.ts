#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { createLogger, format, transports } from "winston";
import { startAgent } from "./agent.ts";
import { AgentConfig, readAgentConfig } from "./configuration/agent-config.ts";
import { layOutPaths } from "./configuration/paths.ts";
import { readPinnedTrust } from "./configuration/pinned-trust.ts";
import { enrol, readHostKey } from "./enrolment/enrol.ts";
import { leave } from "./enrolment/leave.ts";
import { processStat } from "./kernel/processes.ts";
import { Accounts } from "./logins/accounts.ts";
import { Recorder } from "./recorder/recorder.ts";

const VERSION = "0.1.0";
const HELP = `Usage: sallyport-agent COMMAND [--config FILE]

Commands:
  enroll --token-file FILE   Join a control plane ("-" reads the token from standard input)
  leave [--force]            Undo enrolment; --force leaves recordings behind that are not uploaded yet
  run                        Answer sshd's questions and record sessions (what the service runs)

Options:
  --config FILE   Configuration (default /etc/sallyport/agent.yaml; absent means all defaults)
  --help, --version

Examples:
  sallyport-agent enroll --token-file join-token
  sallyport-agent run
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: "string", default: "/etc/sallyport/agent.yaml" },
    "token-file": { type: "string" },
    id: { type: "string" },
    force: { type: "boolean", default: false },
    help: { type: "boolean" },
    version: { type: "boolean" },
  },
});
const [command] = positionals;

try {
  if (values.version) process.stdout.write(`${VERSION}\n`);
  else if (values.help) process.stdout.write(HELP);
  else if (command === "enroll") await runEnrol();
  else if (command === "leave") runLeave();
  else if (command === "run") await runAgent();
  else if (command === "recorder") runRecorder();
  else throw new SallyportError("usage", `What should be done? Try: sallyport-agent --help`);
} catch (error) {
  const known = isSallyportError(error);
  process.stderr.write(`sallyport-agent: ${known ? error.message : `unexpected error: ${String(error)}`}\n`);
  process.exitCode = known && error.code === "usage" ? 2 : 1;
}

function readConfig(): AgentConfig {
  return existsSync(values.config) ? readAgentConfig(values.config) : AgentConfig.parse({ version: 1 });
}

async function runEnrol(): Promise<void> {
  const file = values["token-file"];
  if (file === undefined)
    throw new SallyportError(
      "usage",
      "Say where the join token is: --token-file FILE, or - for standard input.",
    );
  const config = readConfig();
  const token = readFileSync(file === "-" ? 0 : file, "utf8");
  const paths = layOutPaths(config.stateDirectory);
  const { hostName, keyFingerprint } = await enrol({ config, paths, token, say });
  say(
    `Enrolled as ${hostName}. Its recordings are signed by ${keyFingerprint}: note it, to compare with: sallyport verify`,
  );
  say("Now reload sshd (systemctl reload ssh) and start the agent: sallyport-agent run");
}

function runLeave(): void {
  const config = readConfig();
  leave({ config, paths: layOutPaths(config.stateDirectory), force: values.force, say });
  say("This host is no longer enrolled. Stop the agent and reload sshd: systemctl reload ssh");
}

function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

async function runAgent(): Promise<void> {
  const config = readConfig();
  const paths = layOutPaths(config.stateDirectory);
  const log = createLogger({
    level: config.logLevel,
    format: format.combine(format.timestamp(), format.json()),
    transports: [new transports.Console()],
  });
  const sshdUser = new Accounts().get(config.sshdUser);
  if (sshdUser === undefined)
    throw new SallyportError("config-missing", `There is no user ${config.sshdUser}. Reinstall the package.`);
  const agent = await startAgent({
    config,
    paths,
    pinned: readPinnedTrust(config.trustFile),
    hostKey: readHostKey(paths.hostKey),
    version: VERSION,
    recorderCommand: (id) => [
      process.execPath,
      [fileURLToPath(import.meta.url), "recorder", "--config", values.config, "--id", id],
    ],
    sshdUid: sshdUser.uid,
    now: () => Date.now() / 1000,
    log,
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      agent.stop();
      process.exit(0);
    });
  }
}

function runRecorder(): void {
  const config = readConfig();
  const paths = layOutPaths(config.stateDirectory);
  const self = processStat(process.pid);
  if (values.id === undefined || self === null)
    throw new SallyportError("usage", "Recorders are started by the agent.");
  const recorder = new Recorder({
    version: VERSION,
    spool: paths.spool,
    socketPath: paths.recorderSocket(values.id),
    controlPath: paths.controlSocket,
    hostKey: readHostKey(paths.hostKey),
    process: { pid: self.pid, startTime: self.startTime },
  });
  // The agent's own signals are not for us: a session outlives a restart of the agent.
  process.on("SIGHUP", () => {});
  process.on("SIGTERM", () => recorder.drain());
  recorder.start();
}
