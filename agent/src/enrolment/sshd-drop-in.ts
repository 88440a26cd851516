import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import { writeKrl } from "@sallyport/core/ssh/krl.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import type { AgentConfig } from "../configuration/agent-config.ts";
import { reloadSshd } from "../host-certificates/reload-sshd.ts";
import { UndoList } from "./undo-list.ts";

/** What sshd gets from us. */
export interface SshdFiles {
  dropIn: string;
  userCaKeys: string;
  revokedKeys: string;
  certificates: { path: string; line: string }[];
}

/** A setting of sshd: keyword and value as they stand in sshd_config(5). */
export type SshdSetting = readonly [keyword: string, value: string];

/** What sshd is to do with the accounts of our group. What `sshd -T` says of them is compared with this by doctor. */
export function sshdSettings(files: KeyFiles, config: AgentConfig): SshdSetting[] {
  return [
    ["TrustedUserCAKeys", files.userCaKeys],
    // In the Match block too: while this file cannot be read, sshd takes no key of anybody whom the setting means.
    ["RevokedKeys", files.revokedKeys],
    ["AuthorizedPrincipalsCommand", `${config.shim} principals --user=%u --key=%k`],
    ["AuthorizedPrincipalsCommandUser", config.sshdUser],
    // A certificate is the only way in: a key that a contractor leaves behind opens nothing.
    ["AuthenticationMethods", "publickey"],
    ["PubkeyAuthentication", "yes"],
    ["AuthorizedKeysFile", "none"],
    ["AuthorizedKeysCommand", "none"],
    ["AuthorizedPrincipalsFile", "none"],
    ["PasswordAuthentication", "no"],
    ["KbdInteractiveAuthentication", "no"],
    ["HostbasedAuthentication", "no"],
    ["GSSAPIAuthentication", "no"],
    // Whatever is asked for, the recorder comes first.
    ["ForceCommand", `${config.shim} session`],
    ["PermitUserRC", "no"],
    ["PermitTTY", "yes"],
    // Forwarding is off unless the agent's answer to this login grants it: that begins with `restrict`. What the operator
    // has forbidden in general stays forbidden.
    ["GatewayPorts", "no"],
    ["AllowStreamLocalForwarding", "no"],
    ["PermitTunnel", "no"],
  ];
}

/** The host certificates that our drop-in names. */
export function certificatesIn(dropIn: string): string[] {
  if (!existsSync(dropIn)) return [];
  return [...readFileSync(dropIn, "utf8").matchAll(/^HostCertificate (\S+)$/gm)].map(([, path = ""]) => path);
}

/** What sshd reads at every login anew. */
export type KeyFiles = Pick<SshdFiles, "userCaKeys" | "revokedKeys">;

/** Where the keys of the user CA, and what is revoked of keys and certificates, stand for sshd: beside the pinned trust. */
export function keyFiles(config: AgentConfig): KeyFiles {
  const directory = dirname(config.trustFile);
  return { userCaKeys: `${directory}/user_ca.pub`, revokedKeys: `${directory}/revoked_keys.krl` };
}

/**
 * The drop-in. Everything but the host certificates stands in a Match block for our group, so that no other account is
 * touched: an operator's own CA, keys and passwords go on working, with the agent stopped too. sshd_config(5): the
 * first value of a keyword counts, and a Match block in an included file ends with that file.
 */
export function dropInText(files: SshdFiles, config: AgentConfig): string {
  return [
    "# Written by sallyport-agent enroll; removed by sallyport-agent leave.",
    ...files.certificates.map(({ path }) => `HostCertificate ${path}`),
    `Match Group ${config.group}`,
    ...sshdSettings(files, config).map(([keyword, value]) => `    ${keyword} ${value}`),
    "",
  ].join("\n");
}

/**
 * Puts the files in place; when one cannot be written, or sshd refuses its configuration then, everything is as it was
 * before. Code `config-invalid`. What it returns puts everything back later.
 */
export function installDropIn(files: SshdFiles, trust: Trust, config: AgentConfig): () => void {
  const undo = new UndoList();
  try {
    undo.write(files.userCaKeys, `${trust.userCaKeys.join("\n")}\n`, 0o644);
    // Before the setting that names it: until the agent runs nothing is revoked here.
    undo.write(files.revokedKeys, writeKrl(NOTHING_REVOKED), 0o644);
    for (const { path, line } of files.certificates) undo.write(path, `${line}\n`, 0o644);
    undo.write(files.dropIn, dropInText(files, config), 0o644);
    askSshd(config.sshd);
    return () => undo.all();
  } catch (error) {
    undo.all();
    throw error;
  }
}

const NOTHING_REVOKED = { version: 0, generatedAt: 0, caKeys: [], serials: [], fingerprints: [] };

/** Asks sshd itself whether it would start with its configuration as it is. Code `config-invalid`. */
export function askSshd(sshd: string): void {
  const complaint = sshdComplaint(sshd);
  if (complaint === null) return;
  throw new SallyportError(
    "config-invalid",
    `sshd refuses its configuration, so nothing was changed: ${complaint}`,
  );
}

/** What sshd has against its configuration as it is; null: nothing. */
function sshdComplaint(sshd: string): string | null {
  const verdict = spawnSync(sshd, ["-t"], { encoding: "utf8" });
  if (verdict.status === 0) return null;
  return verdict.error?.message ?? verdict.stderr.trim().split("\n").at(-1) ?? "";
}

/**
 * Takes the drop-in away and has sshd read its configuration anew: from now on no contractor gets in, and those who are in
 * stay. An sshd that refuses its configuration would not come back from that: it is left alone, which is said. What this
 * returns puts the drop-in back.
 */
export function takeDropInAway(config: AgentConfig, say: (sentence: string) => void): () => void {
  const path = config.sshdDropIn;
  const before = existsSync(path) ? readContent(path) : null;
  const reload = (): void => {
    const complaint = sshdComplaint(config.sshd);
    if (complaint === null) reloadSshd(config.sshd);
    else
      say(
        `sshd was not reloaded, as it refuses its configuration: ${complaint}. Mend that, then: systemctl reload ssh`,
      );
  };
  rmSync(path, { force: true });
  if (before !== null) say(`Removed ${path}`);
  reload();
  return () => {
    if (before === null) return;
    writeFileDurably(path, before.bytes, before.mode);
    reload();
  };
}

function readContent(path: string): { bytes: Buffer; mode: number } {
  return { bytes: readFileSync(path), mode: statSync(path).mode & 0o777 };
}
