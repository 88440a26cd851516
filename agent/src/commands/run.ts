import { SallyportError } from "@sallyport/core/errors.ts";
import { printableJson } from "@sallyport/core/terminal-text.ts";
import { createLogger, format, transports } from "winston";
import { startAgent } from "../agent.ts";
import { hostTime } from "../clock/time-source.ts";
import { layOutPaths } from "../configuration/paths.ts";
import { readPinnedTrust } from "../configuration/pinned-trust.ts";
import { readHostKey } from "../enrolment/enrol.ts";
import { Accounts } from "../logins/accounts.ts";
import { withoutRepeats } from "../repeated-lines.ts";
import { listeningSockets } from "../service/listening-sockets.ts";
import { serviceManager } from "../service/notify.ts";
import { readConfig } from "./read-config.ts";

export interface RunOptions {
  /** Path of the configuration. */
  config: string;
  version: string;
  /** Unit template that recorders are started as, `sallyport-recorder` for `sallyport-recorder@.service`; null: as children. */
  recorderUnit: string | null;
  /** Taken from it: what the service manager has put there. */
  env: NodeJS.ProcessEnv;
  /** Program and arguments that run this command line with further arguments. */
  self(args: string[]): [string, string[]];
}

/** Winston keeps the finished line under this symbol. */
const LINE = Symbol.for("message");
const printableLine = format((info) => ({ ...info, [LINE]: printableJson(String(info[LINE])) }));

/** `sallyport-agent run`: resolves when logins are answered; SIGTERM and SIGINT end the process. */
export async function runCommand(options: RunOptions): Promise<void> {
  const manager = serviceManager(options.env, process.pid);
  const sockets = listeningSockets(options.env, process.pid);
  const config = readConfig(options.config);
  const paths = layOutPaths(config.stateDirectory);
  const log = createLogger({
    level: config.logLevel,
    format: format.combine(withoutRepeats(), format.timestamp(), format.json(), printableLine()),
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
    version: options.version,
    recorderCommand: (id) =>
      options.recorderUnit === null
        ? options.self(["recorder", "--config", options.config, "--id", id])
        : ["systemctl", ["start", "--quiet", `${options.recorderUnit}@${id}.service`]],
    factsCommand: options.self(["facts", "--config", options.config]),
    sshdUid: sshdUser.uid,
    time: hostTime(),
    sockets,
    log,
  });
  manager.tell("READY=1");
  if (manager.watchdogMs !== null) setInterval(() => manager.tell("WATCHDOG=1"), manager.watchdogMs / 2);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      manager.tell("STOPPING=1");
      agent.stop();
      process.exit(0);
    });
  }
}
