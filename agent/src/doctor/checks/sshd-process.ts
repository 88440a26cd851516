import { existsSync, readFileSync, statSync } from "node:fs";
import { keyFiles, sshdSettings } from "../../enrolment/sshd-drop-in.ts";
import { type SshdListener, sshdListeners } from "../../kernel/sshd-listeners.ts";
import { check, error, type Found, ok, warning } from "../check.ts";
import { effectiveSettings } from "../effective-settings.ts";
import { mainConfigFile, readConfigLines } from "../sshd-config-lines.ts";

/** Clock ticks in a second, as /proc counts them on every Linux. */
const TICKS = 100;

/** The sshd that runs: has it read its configuration as it is now, and nothing else instead? */
export const sshdProcessCheck = check("sshd-process", async ({ config, now }) => {
  const listeners = sshdListeners(config.sshd);
  const uptime = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]);
  const startedAt = ({ startTime }: SshdListener) => now() - uptime + startTime / TICKS;
  if (listeners.length === 0)
    return [
      warning(
        `no ${config.sshd} runs that waits for connections`,
        "Nobody can log in, unless systemd starts sshd for each connection (ssh.socket).",
        "systemctl start ssh (or: systemctl status ssh.socket)",
      ),
    ];
  const files = configurationFiles(config.sshdDropIn);
  const pidFile = await pidFileOf(config.sshd);
  const keywords = sshdSettings(keyFiles(config), config).map(([keyword]) => keyword.toLowerCase());
  return listeners.flatMap((sshd) => {
    const found = [
      ...otherConfiguration(sshd, mainConfigFile(config.sshdDropIn), keywords),
      ...stale(sshd, startedAt(sshd), files, pidFile),
    ];
    return found.length > 0 ? found : [ok(`sshd (pid ${sshd.pid}) has read its configuration as it is now`)];
  });
});

/** What sshd was told on its command line goes before every file. */
function otherConfiguration(
  { pid, title }: SshdListener,
  main: string,
  keywords: readonly string[],
): Found[] {
  const found: Found[] = [];
  const file = / -f ?(\S+)/.exec(title)?.[1];
  if (file !== undefined && file !== main)
    found.push(
      error(
        `sshd (pid ${pid}) reads ${file}, not ${main}`,
        "Sallyport's drop-in is not in there, so this sshd does not guard contractors' accounts.",
        `Include ${main} in ${file}, or remove -f from how sshd is started; then: systemctl restart ssh`,
      ),
    );
  for (const [, keyword = ""] of title.matchAll(/ -o ?([A-Za-z0-9]+)/g))
    if (keywords.includes(keyword.toLowerCase()))
      found.push(
        error(
          `sshd (pid ${pid}) was started with -o ${keyword}`,
          "What stands on the command line wins over every file, Sallyport's drop-in included.",
          "Remove it from how sshd is started (systemctl cat ssh, /etc/default/ssh); then: systemctl restart ssh",
        ),
      );
  return found;
}

function stale(
  sshd: SshdListener,
  startedAt: number,
  files: readonly string[],
  pidFile: string | null,
): Found[] {
  const readAt = lastRead(sshd.pid, startedAt, pidFile);
  const changed = files.filter(
    (file) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) / 1000 > readAt,
  );
  if (changed.length === 0) return [];
  return [
    warning(
      `sshd (pid ${sshd.pid}) was last loaded before ${changed.join(", ")} ${changed.length === 1 ? "was" : "were"} changed`,
      "It goes on with what it read then; what is said above of its settings holds only after a reload.",
      "sshd -t && systemctl reload ssh",
    ),
  ];
}

/** sshd writes its pid file when it starts and when it reads its configuration anew (SIGHUP). */
function lastRead(pid: number, startedAt: number, pidFile: string | null): number {
  if (pidFile === null || !existsSync(pidFile) || Number(readFileSync(pidFile, "latin1")) !== pid)
    return startedAt;
  return Math.max(startedAt, statSync(pidFile).mtimeMs / 1000);
}

/** The files that sshd reads at its start alone. */
function configurationFiles(dropIn: string): string[] {
  const main = mainConfigFile(dropIn);
  const lines = readConfigLines(main);
  const certificates = lines.filter(({ keyword }) => keyword === "hostcertificate").map(({ value }) => value);
  return [...new Set([main, ...lines.map(({ file }) => file), ...certificates])];
}

async function pidFileOf(sshd: string): Promise<string | null> {
  try {
    const [path = "none"] = (await effectiveSettings(sshd, "root", "127.0.0.1")).get("pidfile") ?? [];
    return path === "none" ? null : path;
  } catch {
    return null;
  }
}
