import { readFileSync, statSync } from "node:fs";

/** The system user that the package makes, and that its unit runs the control plane as. */
export const SERVICE_USER = "sallyport-control-plane";

/** Ids of the service's user on this machine; undefined where the package is not installed. passwd(5). */
export function serviceUser(passwd = "/etc/passwd"): { uid: number; gid: number } | undefined {
  for (const line of readFileSync(passwd, "utf8").split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name === SERVICE_USER) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/** True when this process may give files to others. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Goes on as whom a data directory belongs to, for good, where root was asked: keys and database files that root made could not be read
 * by the service. Nothing where the directory is root's own, or not there.
 */
export function becomeOwner(dataDirectory: string): void {
  const owner = isRoot() ? statSync(dataDirectory, { throwIfNoEntry: false }) : undefined;
  if (owner === undefined || owner.uid === 0) return;
  process.setgroups?.([owner.gid]);
  process.setgid?.(owner.gid);
  process.setuid?.(owner.uid);
}
