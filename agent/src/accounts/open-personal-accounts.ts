import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import type { Logger } from "winston";
import { accountEvent } from "../events.ts";
import type { LoginRegistry } from "../logins/login-registry.ts";
import { PersonalAccounts, type PersonalAccountsContext } from "./personal-accounts.ts";

interface Parts extends Omit<PersonalAccountsContext, "report" | "sessionsAs"> {
  logins: LoginRegistry;
  outbox: Outbox;
  log: Logger;
}

/** The members' own accounts, put together with the agent's log and events; `sync` makes the first of them. */
export function openPersonalAccounts({ logins, outbox, log, ...context }: Parts): PersonalAccounts {
  return new PersonalAccounts({
    ...context,
    // Its connection is there until a session has said its last words.
    sessionsAs: (account) =>
      logins.alive().filter((login) => login.account === account && login.admitted !== null).length,
    report: (type, account, memberId, detail, code) => {
      if (type === "trouble")
        log.error("a personal account has trouble", { account, memberId, code, detail });
      else log.info(type, { account, memberId, detail });
      outbox.add(accountEvent(type, account, memberId, detail, code));
    },
  });
}
