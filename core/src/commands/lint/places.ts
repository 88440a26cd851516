import { PROGRAM_PATH } from "../command-rule.ts";

/** Directories whose files root, cron, systemd or other accounts execute or obey. */
const OBEYED = [
  ...PROGRAM_PATH,
  ...[
    "/usr",
    "/usr/local",
    "/usr/lib",
    "/usr/libexec",
    "/usr/share",
    "/lib",
    "/lib64",
    "/opt",
    "/snap",
    "/nix",
  ],
  ...[
    "/etc",
    "/boot",
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/var",
    "/var/lib",
    "/var/spool",
    "/var/spool/cron",
    "/root",
  ],
];

/** Whether `path` is `directory` or in it. */
export function isIn(path: string, directory: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

/** What is wrong with writing there; null where nothing is known to be. Paths are compared as they are written. */
export function whyWideToWrite(path: string): string | null {
  if (path === "/") return "it is everything";
  if (path === "/home") return "it is everybody's";
  // Below these too: a file in /etc/cron.d or /usr/lib/systemd is obeyed like any other there.
  const below = [
    "/etc",
    "/boot",
    "/proc",
    "/sys",
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/sbin",
    "/root",
    "/var/spool/cron",
    "/nix",
  ];
  if (OBEYED.includes(path) || below.some((directory) => isIn(path, directory)))
    return "root and other accounts execute or obey files there";
  return null;
}

/** What is wrong with writing there where it is in a home directory; null where nothing is. `~` stands for the home. */
export function whyStartsCode(path: string): string | null {
  const inHome = /^(?:~|\/home\/[^/]+|\/root)(?:\/(.*))?$/.exec(path);
  if (inHome === null) return null;
  const [, rest = ""] = inHome;
  if (rest === "") return "it holds .ssh/authorized_keys and the files that shells and other programs run";
  if (/^\.ssh(\/|$)/.test(rest)) return "a key in authorized_keys opens the account past Sallyport";
  if (/^(\.|bin(\/|$))/.test(rest)) return "programs of the account obey files there, or execute them";
  return null;
}
