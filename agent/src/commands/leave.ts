import { RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import { PersonalAccounts } from "../accounts/personal-accounts.ts";
import { layOutPaths } from "../configuration/paths.ts";
import { leave } from "../enrolment/leave.ts";
import { Accounts } from "../logins/accounts.ts";
import { readConfig } from "./read-config.ts";

export interface LeaveOptions {
  /** Path of the configuration. */
  config: string;
  force: boolean;
  say(sentence: string): void;
  /** Seconds since the epoch. */
  now(): number;
}

/** `sallyport-agent leave`. */
export async function leaveCommand({ force, say, now, ...options }: LeaveOptions): Promise<void> {
  const config = readConfig(options.config);
  leave({ config, paths: layOutPaths(config.stateDirectory), force, say });
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
  say("This host is no longer enrolled. Stop the agent and reload sshd: systemctl reload ssh");
}
