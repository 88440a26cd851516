import { mkdirSync, writeFileSync } from "node:fs";
import type { HostInside } from "./namespace.ts";

export type HostAccount = {
  name: string;
  /** Default: the shim where the agent runs (a contractors' account, in group sallyport), else /bin/bash. */
  shell?: string;
  groups?: string[];
  /** Lines for ~/.ssh/authorized_keys. */
  authorizedKeys?: string[];
  uid?: number;
};

/** Makes an account in the host, with useradd. */
export async function addAccount(
  host: HostInside,
  account: HostAccount,
  contractorShell: string | undefined,
): Promise<void> {
  const { name, uid } = account;
  const shell = account.shell ?? contractorShell ?? "/bin/bash";
  const groups = [...(account.groups ?? []), ...(shell === contractorShell ? ["sallyport"] : [])];

  // The machine's own accounts show through; one of the same name gives way, inside.
  if ((await host.run(["getent", "passwd", name])).status === 0) await host.run(["userdel", "--force", name]);
  for (const group of groups) await host.mustRun(["groupadd", "--force", group]);
  const options = ["--create-home", "--key", "HOME_MODE=0700", "--shell", shell];
  if (groups.length > 0) options.push("--groups", groups.join(","));
  // useradd keeps to UID_MAX even with --uid.
  if (uid !== undefined) options.push("--key", "UID_MAX=2000000000", "--uid", String(uid));
  await host.mustRun(["useradd", ...options, name]);
  if (!account.authorizedKeys) return;
  const directory = `/home/${name}/.ssh`;
  mkdirSync(host.outside(directory), { mode: 0o700 });
  const lines = `${account.authorizedKeys.join("\n")}\n`;
  writeFileSync(host.outside(`${directory}/authorized_keys`), lines, { mode: 0o600 });
  await host.mustRun(["chown", "-R", `${name}:`, directory]);
}
