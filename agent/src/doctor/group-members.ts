import { readFileSync } from "node:fs";

/** An account of the guarded group, from passwd(5), group(5) and shadow(5). */
export interface GroupMember {
  name: string;
  uid: number;
  home: string;
  shell: string;
}

/** The files that accounts are read from. */
export interface AccountFiles {
  passwd: string;
  group: string;
}

export const ACCOUNT_FILES: AccountFiles = { passwd: "/etc/passwd", group: "/etc/group" };

/** The accounts in a group, by membership or as their own group; null when there is no such group. */
export function groupMembers(group: string, files: AccountFiles = ACCOUNT_FILES): GroupMember[] | null {
  const entry = rows(files.group).find(([name]) => name === group);
  if (entry === undefined) return null;
  const [, , gid = "", names = ""] = entry;
  const listed = new Set(names.split(","));
  return rows(files.passwd).flatMap(([name = "", , uid, own, , home = "", shell = ""]) =>
    listed.has(name) || own === gid ? [{ name, uid: Number(uid), home, shell }] : [],
  );
}

function rows(path: string): string[][] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => line.split(":"));
}

/** `sshd -C` takes commas and equals signs apart: only names without may be put into it. */
export function isPlainName(name: string): boolean {
  return /^[A-Za-z_][\w.-]*\$?$/.test(name);
}
