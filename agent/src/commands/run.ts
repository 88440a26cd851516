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
import { readConfig } from "./read-config.ts";

export interface RunOptions {
  /** Path of the configuration. */
  config: string;
  version: string;
  /** Program and arguments that run this command line with further arguments. */
  self(args: string[]): [string, string[]];
}

/** Winston keeps the finished line under this symbol. */
const LINE = Symbol.for("message");
const printableLine = format((info) => ({ ...info, [LINE]: printableJson(String(info[LINE])) }));

/** `sallyport-agent run`: resolves when logins are answered; SIGTERM and SIGINT end the process. */
export async function runCommand(options: RunOptions): Promise<void> {
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
    recorderCommand: (id) => options.self(["recorder", "--config", options.config, "--id", id]),
    factsCommand: options.self(["facts", "--config", options.config]),
    sshdUid: sshdUser.uid,
    time: hostTime(),
    log,
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      agent.stop();
      process.exit(0);
    });
  }
}
