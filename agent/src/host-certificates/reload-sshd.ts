import { sshdListeners } from "../kernel/sshd-listeners.ts";

/**
 * Has every sshd that waits for connections read its configuration and host certificates anew, as `systemctl reload ssh`
 * does: on SIGHUP it starts itself again (sshd(8)), and connections go on. One that systemd starts for each connection
 * reads them anyway. Call it only when sshd has found its configuration good: it would not come back.
 */
export function reloadSshd(sshd: string): void {
  for (const { pid } of sshdListeners(sshd)) {
    try {
      process.kill(pid, "SIGHUP");
    } catch {
      // it has just ended
    }
  }
}
