import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Accounts } from "../../logins/accounts.ts";
import { check, type ExaminedHost, error, type Found, ok, warning } from "../check.ts";
import { type GroupMember, groupMembers } from "../group-members.ts";
import { type ShadowEntry, shadowEntries } from "../shadow.ts";
import { storedPolicy } from "../stored-policy.ts";

const DAY = 86_400;

/** Each account that contractors may use: its shell, home, and whether it may be used at all. */
export const accountsCheck = check("accounts", async (host) => {
  const members = groupMembers(host.config.group) ?? [];
  const shadow = shadowEntries();
  const accounts = new Accounts();
  const accepted = await acceptedAccounts(host);
  return [
    ...nologin(),
    ...members.flatMap((member) => {
      const found = [
        ...shell(host, accounts, member, accepted.has(member.name)),
        ...home(member),
        ...startFiles(member),
        ...usable(host, member, shadow.get(member.name)),
      ];
      return found.length > 0 ? found : [ok(`${member.name}: shell, home and expiry are right`)];
    }),
  ];
});

/** Accounts whose shell an engagement accepts as it is (`acceptUnsafeShell`). */
async function acceptedAccounts(host: ExaminedHost): Promise<Set<string>> {
  const store = await storedPolicy(host).catch(() => null); // another check says what is wrong with it
  const accepting = store?.bundle?.engagements.filter((engagement) => engagement.acceptUnsafeShell) ?? [];
  return new Set(accepting.flatMap((engagement) => engagement.accounts));
}

function nologin(): Found[] {
  if (!existsSync("/etc/nologin")) return [];
  const why = "While that file is there, PAM lets nobody but root in.";
  return [
    warning(
      "/etc/nologin is there",
      why,
      "rm /etc/nologin (when the maintenance that it stands for is over)",
    ),
  ];
}

function shell(
  { config }: ExaminedHost,
  accounts: Accounts,
  { name }: GroupMember,
  accepted: boolean,
): Found[] {
  const unsafe = accounts.unsafe(name, config.shim);
  if (unsafe === null) return [];
  if (accounts.get(name)?.uid === 0)
    return [
      error(
        `${name} is root by another name, and in group ${config.group}`,
        "A contractor would be root. The agent refuses the account.",
        `gpasswd --delete ${name} ${config.group}`,
      ),
    ];
  const fix = `usermod --shell ${config.shim} ${name}`;
  if (unsafe.acceptable && accepted)
    return [
      warning(
        `${name}: ${unsafe.reason}`,
        "An engagement accepts that (acceptUnsafeShell): code of a contractor's own can run unrecorded, until the watchdog ends it.",
        fix,
      ),
    ];
  return [
    error(
      `${name}: ${unsafe.reason}`,
      "Code of a contractor's own would run before the recorder does, unrecorded. The agent refuses the account.",
      fix,
    ),
  ];
}

function home({ name, uid, home }: GroupMember): Found[] {
  const stat = lstatSync(home, { throwIfNoEntry: false });
  if (stat === undefined)
    return [
      warning(
        `${name}: the home ${home} does not exist`,
        "Sessions begin in /, and many programs do not work.",
        `mkhomedir_helper ${name} 0077`,
      ),
    ];
  if (stat.uid !== uid && stat.uid !== 0)
    return [
      error(
        `${name}: the home ${home} belongs to uid ${stat.uid}`,
        "Another account can place files there that sessions of this one run.",
        `chown ${name}: ${home}`,
      ),
    ];
  if ((stat.mode & 0o022) === 0) return [];
  return [
    warning(
      `${name}: the home ${home} can be written to by others`,
      "Another account can place files there that sessions of this one run.",
      `chmod go-w ${home}`,
    ),
  ];
}

/** Files that sshd would heed were it not told otherwise: a second lock, and a sign that somebody tried. */
function startFiles({ name, home }: GroupMember): Found[] {
  return ["rc", "environment"]
    .map((file) => join(home, ".ssh", file))
    .filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined)
    .map((path) =>
      warning(
        `${name}: there is ${path}`,
        "sshd would run or read it before the recorder starts, if PermitUserRC or PermitUserEnvironment were ever allowed. Somebody may have tried.",
        `rm ${path}`,
      ),
    );
}

function usable({ now }: ExaminedHost, { name }: GroupMember, entry: ShadowEntry | undefined): Found[] {
  if (entry === undefined) return [];
  if (entry.expires !== null && entry.expires * DAY <= now())
    return [
      warning(
        `${name} expired on ${new Date(entry.expires * DAY * 1000).toISOString().slice(0, 10)}`,
        "PAM refuses every login to it, whatever Sallyport says. For a personal account that is how an engagement's end should look.",
        `chage --expiredate -1 ${name} (if it is to be used again)`,
      ),
    ];
  if (entry.locked && usesPam() === false)
    return [
      error(
        `${name} is locked, and UsePAM is off`,
        "sshd without PAM refuses accounts whose password begins with an exclamation mark, certificates or not.",
        `usermod --password '*' ${name} (no password fits, certificates do)`,
      ),
    ];
  return [];
}

/** Null where it does not say. Only for advice: what holds is asked of sshd by another check. */
function usesPam(): boolean | null {
  const path = "/etc/ssh/sshd_config";
  const value = existsSync(path) ? /^\s*UsePAM\s+(\S+)/im.exec(readFileSync(path, "utf8"))?.[1] : undefined;
  return value === undefined ? null : value.toLowerCase() === "yes";
}
