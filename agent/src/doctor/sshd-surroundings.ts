import { existsSync } from "node:fs";
import { error, type Found, warning } from "./check.ts";
import type { EffectiveSettings } from "./effective-settings.ts";

/** Variables that make a program run or load something before its own first line. */
const DANGEROUS = [
  "LD_PRELOAD",
  "LD_LIBRARY_PATH",
  "LD_AUDIT",
  "BASH_ENV",
  "ENV",
  "PATH",
  "IFS",
  "SHELLOPTS",
  "BASHOPTS",
  "BASH_FUNC_x%%",
  "PS4",
  "ZDOTDIR",
  "NODE_OPTIONS",
  "PYTHONPATH",
  "PYTHONSTARTUP",
  "PERL5LIB",
  "PERL5OPT",
  "RUBYOPT",
  "GCONV_PATH",
  "GLIBC_TUNABLES",
];
const SFTP_SERVERS = [
  "/usr/lib/openssh/sftp-server",
  "/usr/libexec/openssh/sftp-server",
  "/usr/lib/ssh/sftp-server",
];
const RELOAD = "sshd -t && systemctl reload ssh";
const QUIET = ["QUIET", "FATAL", "ERROR"];

/** Variables that a contractor may set from outside. Every AcceptEnv line counts, not only the first. */
export function acceptedEnvironment(effective: EffectiveSettings, account: string): Found[] {
  const patterns = (effective.get("acceptenv") ?? []).flatMap((line) => line.split(/\s+/));
  const open = patterns.filter((pattern) => DANGEROUS.some((name) => matches(pattern, name)));
  if (open.length === 0) return [];
  return [
    error(
      `AcceptEnv ${open.join(" ")} lets ${account} set variables such as ${DANGEROUS.find((name) => matches(open[0] ?? "", name))}`,
      "With them a contractor has code of their own loaded into the program that starts the recording, before it starts.",
      `Leave names such as "LANG LC_*" alone in: grep -rniE '^[[:space:]]*AcceptEnv' /etc/ssh/sshd_config /etc/ssh/sshd_config.d; then: ${RELOAD}`,
    ),
  ];
}

/** Settings that stand outside of our drop-in, some because they cannot stand in a Match block. */
export function otherSettings(
  effective: EffectiveSettings,
  account: string,
  caTypes: readonly string[],
): Found[] {
  const value = (keyword: string): string => effective.get(keyword)?.[0] ?? "";
  const found: Found[] = [];
  if (!["no", ""].includes(value("permituserenvironment")))
    found.push(
      error(
        `PermitUserEnvironment is "${value("permituserenvironment")}"`,
        `${account} can set LD_PRELOAD in ~/.ssh/environment and so has code of its own loaded before the recording starts.`,
        `Set "PermitUserEnvironment no" in /etc/ssh/sshd_config; then: ${RELOAD}`,
      ),
    );
  if (value("usepam") === "no")
    found.push(
      warning(
        "UsePAM is off",
        "Sessions then have no audit session and no limits, account expiry is not looked at, and accounts without a password are refused.",
        `Set "UsePAM yes" in /etc/ssh/sshd_config; then: systemctl restart ssh`,
      ),
    );
  if (value("maxsessions") === "0")
    found.push(
      error(
        "MaxSessions is 0",
        "No session can be opened at all.",
        `Remove the MaxSessions line; then: ${RELOAD}`,
      ),
    );
  if (!["none", ""].includes(value("chrootdirectory")))
    found.push(
      error(
        `ChrootDirectory is "${value("chrootdirectory")}" for ${account}`,
        "In there neither the shim nor the agent's sockets can be reached: every session fails.",
        `Take accounts of Sallyport out of that Match block; then: ${RELOAD}`,
      ),
    );
  if (QUIET.includes(value("loglevel")))
    found.push(
      warning(
        `LogLevel is ${value("loglevel")}`,
        "sshd's own log then tells nothing of logins; it is the second witness beside Sallyport's.",
        `Set "LogLevel INFO" or "LogLevel VERBOSE" in /etc/ssh/sshd_config; then: ${RELOAD}`,
      ),
    );
  return [...found, ...sftp(effective), ...algorithms(effective, caTypes)];
}

function sftp(effective: EffectiveSettings): Found[] {
  const internal = effective.get("subsystem")?.some((line) => /^sftp\s+internal-sftp/.test(line));
  if (internal !== true) return [];
  const server = SFTP_SERVERS.find((path) => existsSync(path)) ?? SFTP_SERVERS[0];
  return [
    warning(
      "sftp is sshd's internal one",
      "Contractors' sessions are started by the shim, which cannot run something inside of sshd: sftp and scp fail for them.",
      `Set "Subsystem sftp ${server}" in place of internal-sftp; then: ${RELOAD}`,
    ),
  ];
}

/** Contractors' certificates are signed by a key of the CA's type: sshd must take such signatures. */
function algorithms(effective: EffectiveSettings, caTypes: readonly string[]): Found[] {
  const accepted = effective.get("casignaturealgorithms")?.[0]?.split(",");
  if (accepted === undefined) return [];
  const signature = (type: string): string => (type === "ssh-rsa" ? "rsa-sha2-512" : type);
  const missing = caTypes.filter((type) => !accepted.includes(signature(type)));
  if (missing.length === 0) return [];
  return [
    error(
      `CASignatureAlgorithms does not have ${missing.map(signature).join(", ")}`,
      "sshd refuses every certificate of this control plane.",
      `Add it to the CASignatureAlgorithms line, or remove that line; then: ${RELOAD}`,
    ),
  ];
}

/** sshd's patterns: `*` and `?` (ssh_config(5), PATTERNS). */
function matches(pattern: string, name: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${expression}$`).test(name);
}
