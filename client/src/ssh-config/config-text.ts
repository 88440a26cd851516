import type { StatePaths } from "../state/paths.ts";
import { type PlainHost, quotedPath, shellWord } from "./config-value.ts";

const HEADER = `# Written by sallyport, and again at every sign-in: changes made here are lost.
`;

/**
 * The ssh_config for the hosts. First a `Match … exec`, which signs in when there is no valid certificate; where that
 * fails, ssh ends there (our sentence is on the terminal already), instead of going on to whatever else has that name.
 * Then a `Host` for each. ssh takes the first value of a keyword, so this must come before the user's own settings.
 */
export function configText(hosts: readonly PlainHost[], paths: StatePaths): string {
  if (hosts.length === 0) return `${HEADER}# There are no hosts for you at the moment.\n`;
  const names = hosts.map((host) => host.name).join(",");
  const ensure = `sh ${shellWord(paths.ensureScript).replaceAll("%", "%%")} %n`;
  return [
    HEADER,
    `Match originalhost ${names} !exec "${ensure}"\n  ProxyCommand false\n  LogLevel QUIET\n`,
    ...hosts.map((host) => hostBlock(host, paths)),
  ].join("\n");
}

function hostBlock(host: PlainHost, paths: StatePaths): string {
  const lines = [
    `Host ${host.name}`,
    `  HostName ${host.address}`,
    `  Port ${host.port}`,
    ...(host.account === null ? [] : [`  User ${host.account}`]),
    `  IdentityFile ${quotedPath(paths.identity)}`,
    `  CertificateFile ${quotedPath(paths.certificate)}`,
    "  IdentitiesOnly yes",
    // The agent that sallyport put the key into, whatever the user has set for other hosts.
    "  IdentityAgent SSH_AUTH_SOCK",
    "  AddKeysToAgent no",
    "  PreferredAuthentications publickey",
    `  HostKeyAlias ${host.name}`,
    `  UserKnownHostsFile ${quotedPath(paths.knownHosts)}`,
    "  StrictHostKeyChecking yes",
  ];
  return `${lines.join("\n")}\n`;
}
