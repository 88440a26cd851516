import { SallyportError } from "@sallyport/core/errors.ts";
import { readConfig } from "../commands/read-config.ts";
import { layOutPaths } from "../configuration/paths.ts";
import { type PinnedTrust, readPinnedTrust } from "../configuration/pinned-trust.ts";
import { askStatus } from "../status/ask-status.ts";
import type { StatusDocument } from "../status/status-document.ts";
import { examine } from "./doctor.ts";
import { exitStatus, reportJson, reportText } from "./report.ts";

export interface DoctorCommand {
  /** Path of the configuration. */
  config: string;
  json: boolean;
  colours: boolean;
  version: string;
  /** Seconds since the epoch. */
  now(): number;
  write(text: string): void;
}

/** `sallyport-agent doctor`. Resolves with the exit status. Codes `forbidden` (not root), `config-invalid`. */
export async function doctorCommand(options: DoctorCommand): Promise<number> {
  if (process.getuid?.() !== 0)
    throw new SallyportError(
      "forbidden",
      "Only root can look at all of this. Run: sudo sallyport-agent doctor",
    );
  const config = readConfig(options.config);
  const paths = layOutPaths(config.stateDirectory);
  const { version, now } = options;
  const pinned = pinnedIn(config.trustFile);
  const status = await statusOn(paths.statusSocket);
  const findings = await examine({ config, configFile: options.config, paths, pinned, status, version, now });
  options.write(options.json ? reportJson(findings) : reportText(findings, options.colours));
  return exitStatus(findings);
}

/** Why it cannot be read is for a check to say. */
function pinnedIn(file: string): PinnedTrust | null {
  try {
    return readPinnedTrust(file);
  } catch {
    return null;
  }
}

/** An agent that does not answer is as good as none; a check says which it is. */
async function statusOn(socket: string): Promise<StatusDocument | null> {
  try {
    return await askStatus(socket);
  } catch {
    return null;
  }
}
