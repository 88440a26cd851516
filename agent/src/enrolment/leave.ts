import { existsSync, rmSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { listRecordings } from "@sallyport/uplink/spool/layout.ts";
import type { AgentConfig } from "../configuration/agent-config.ts";
import type { Paths } from "../configuration/paths.ts";
import { revocationFiles } from "../policy/revocation-list.ts";
import { keyFiles } from "./sshd-drop-in.ts";

export interface LeaveSettings {
  config: AgentConfig;
  paths: Paths;
  /** The host certificates, as the drop-in names them. */
  certificates: readonly string[];
  /** Leave although recordings wait for upload; they stay where they are. */
  force: boolean;
  /** What happens, one sentence each. */
  say(sentence: string): void;
}

/**
 * Undoes enrolment: sshd's drop-in goes first, so that nobody is let in by half of it, then the certificates and keys.
 * Code `conflict` when recordings wait for upload and `force` is not set: without the host's key they cannot be uploaded.
 */
export function leave({ config, paths, certificates, force, say }: LeaveSettings): void {
  if (!force) refuseWithRecordings(paths);
  const { userCaKeys, revokedKeys } = keyFiles(config);
  const ours = [config.sshdDropIn, ...certificates, userCaKeys, revokedKeys];
  for (const path of [
    ...ours,
    config.trustFile,
    paths.hostKey,
    paths.bundle,
    `${paths.bundle}.revocations`,
    ...revocationFiles(`${paths.bundle}.list`),
    paths.jwks,
  ]) {
    if (!existsSync(path)) continue;
    rmSync(path, { recursive: true });
    say(`Removed ${path}`);
  }
}

/** Code `conflict` when recordings wait for upload. */
export function refuseWithRecordings(paths: Paths): void {
  const waiting = existsSync(paths.spool) ? listRecordings(paths.spool).length : 0;
  if (waiting === 0) return;
  throw new SallyportError(
    "conflict",
    `${waiting === 1 ? "1 recording" : `${waiting} recordings`} in ${paths.spool} ${waiting === 1 ? "is" : "are"} not uploaded yet. Let the agent run until they are, or add --force to leave them there.`,
  );
}
