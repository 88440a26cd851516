import type { Check, ExaminedHost, Finding } from "./check.ts";
import { accountsCheck } from "./checks/accounts.ts";
import { agentCheck } from "./checks/agent.ts";
import { clockCheck } from "./checks/clock.ts";
import { diskCheck } from "./checks/disk.ts";
import { enrolmentCheck } from "./checks/enrolment.ts";
import { filesCheck } from "./checks/files.ts";
import { hostCertificatesCheck } from "./checks/host-certificates.ts";
import { kernelCheck } from "./checks/kernel.ts";
import { localPolicyCheck } from "./checks/local-policy.ts";
import { policyCheck } from "./checks/policy.ts";
import { reachCheck } from "./checks/reach.ts";
import { sshdCheck } from "./checks/sshd.ts";
import { sshdFilesCheck } from "./checks/sshd-files.ts";
import { sshdProcessCheck } from "./checks/sshd-process.ts";

/** In the order in which a login depends on them. */
export const CHECKS: readonly Check[] = [
  enrolmentCheck,
  sshdCheck,
  sshdFilesCheck,
  sshdProcessCheck,
  hostCertificatesCheck,
  filesCheck,
  agentCheck,
  policyCheck,
  localPolicyCheck,
  clockCheck,
  diskCheck,
  reachCheck,
  kernelCheck,
  accountsCheck,
];

/** Runs the checks, one after the other. One that fails itself is a finding and stops no other. */
export async function examine(host: ExaminedHost, checks: readonly Check[] = CHECKS): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) {
    try {
      findings.push(...(await check.run(host)));
    } catch (cause) {
      findings.push({
        check: check.name,
        level: "warning",
        what: `this could not be looked at: ${String(cause).slice(0, 300)}`,
        why: "Whether it is as it should be is not known.",
        fix: "Run it again as root; if that says the same, report it as a bug.",
      });
    }
  }
  return findings;
}
