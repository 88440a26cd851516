import { SallyportError } from "@sallyport/core/errors.ts";
import { layOutPaths } from "../configuration/paths.ts";
import { readHostKey } from "../enrolment/enrol.ts";
import { processStat } from "../kernel/processes.ts";
import { Recorder } from "../recorder/recorder.ts";
import { serviceManager } from "../service/notify.ts";
import { readConfig } from "./read-config.ts";

/** `sallyport-agent recorder`, which the agent alone starts. */
export function recorderCommand(options: { config: string; id: string; version: string }): void {
  const config = readConfig(options.config);
  const paths = layOutPaths(config.stateDirectory);
  const self = processStat(process.pid);
  if (self === null) throw new SallyportError("internal", "There is no /proc.");
  const recorder = new Recorder({
    version: options.version,
    spool: paths.spool,
    socketPath: paths.recorderSocket(options.id),
    controlPath: paths.controlSocket,
    hostKey: readHostKey(paths.hostKey),
    process: { pid: self.pid, startTime: self.startTime },
  });
  // The agent's own signals are not for us: a session outlives a restart of the agent.
  process.on("SIGHUP", () => {});
  process.on("SIGTERM", () => recorder.drain());
  recorder.start();
  serviceManager(process.env, process.pid).tell("READY=1");
}
