import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import type { Logger } from "winston";
import type { PersonalAccounts } from "../accounts/personal-accounts.ts";
import type { Paths } from "../configuration/paths.ts";
import { accountEvent, loginIncident } from "../events.ts";
import { Cgroups } from "../kernel/cgroups.ts";
import { AccountNotes } from "./account-notes.ts";
import { AccountRemains, type AccountRemainsContext } from "./account-remains.ts";

/** What accounts are left with, put together with the agent's log and events. */
export function openAccountRemains(
  parts: Pick<AccountRemainsContext, "logins" | "sshd"> & {
    paths: Pick<Paths, "accountNotes">;
    personal: PersonalAccounts;
    outbox: Outbox;
    log: Logger;
  },
): AccountRemains {
  const { logins, sshd, personal, outbox, log } = parts;
  const memberOf = (account: string) =>
    personal.present.find((entry) => entry.account === account)?.memberId ?? "";
  return new AccountRemains({
    ...{ logins, sshd, personal, notes: new AccountNotes(parts.paths.accountNotes), cgroups: new Cgroups() },
    onEnded: (account, login, processes) => {
      log.warn("what an account was left with was ended", { kind: "left-behind-ended", account, processes });
      const detail = processes.join("; ");
      outbox.add(
        login === null
          ? accountEvent("left-behind-ended", account, memberOf(account), detail)
          : loginIncident("left-behind-ended", login, detail),
      );
    },
    onTrouble: (account, code, detail) => {
      log.error("what an account was left with goes on", { account, code, detail });
      outbox.add(accountEvent("trouble", account, memberOf(account), detail, code));
    },
  });
}
