import { existsSync, readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { landlockAbi } from "../../confinement/confine.ts";
import { check, error, type Found, ok, warning } from "../check.ts";
import { hasPidfdGetfd } from "../kernel-features.ts";

/** cgroup.kill came with Linux 5.14. */
const CGROUP_KILL = [5, 14] as const;
const NEWER_KERNEL = "Install a newer kernel, or let the container that this host is have it";

/** What the kernel must and should have. */
export const kernelCheck = check("kernel", () => [
  pidfd(),
  cgroups(readFileSync("/proc/self/mountinfo", "utf8")),
  auditSessions(),
  landlock(),
  hiddenProcesses(readFileSync("/proc/self/mountinfo", "utf8")),
]);

function pidfd(): Found {
  if (hasPidfdGetfd()) return ok("pidfd_getfd works");
  return error(
    "pidfd_getfd(2) does not work",
    "The agent reads a contractor's source address from sshd's own socket by it; without it, engagements that name sources admit nobody, and records have no address.",
    NEWER_KERNEL,
  );
}

function cgroups(mounts: string): Found {
  const mount = cgroup2Mount(mounts);
  const why =
    "What a session leaves behind (nohup, setsid, at) is then found by audit session and uid alone, which takes longer and can miss something on shared accounts.";
  if (mount === null)
    return warning(
      "cgroup v2 is not mounted",
      why,
      "Boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2",
    );
  if (!hasKill(mount)) return warning(`cgroup v2 at ${mount} has no cgroup.kill`, why, NEWER_KERNEL);
  return ok(`cgroup v2 with cgroup.kill at ${mount}`);
}

/** Where cgroup v2 is mounted, from /proc/self/mountinfo (proc(5)), or null. */
export function cgroup2Mount(mounts: string): string | null {
  const line = mounts.split("\n").find((one) => / - cgroup2 /.test(one));
  return line?.split(" ")[4] ?? null;
}

/** Every group but the root has the file; a host without any other group is judged by its kernel's version. */
function hasKill(mount: string): boolean {
  const group = readdirSync(mount, { withFileTypes: true }).find((entry) => entry.isDirectory());
  if (group !== undefined) return existsSync(join(mount, group.name, "cgroup.kill"));
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > CGROUP_KILL[0] || (major === CGROUP_KILL[0] && minor >= CGROUP_KILL[1]);
}

function auditSessions(): Found {
  if (existsSync("/proc/self/sessionid")) return ok("audit session ids");
  return warning(
    "the kernel has no audit session ids",
    "What a session leaves behind is then found by cgroup and uid alone.",
    "Use a kernel with CONFIG_AUDIT",
  );
}

function landlock(): Found {
  const version = landlockAbi();
  if (version > 0) return ok(`Landlock, interface ${version}`);
  return warning(
    "the kernel has no Landlock",
    "Engagements that allow single commands cannot have the kernel hold their children.",
    "Boot with lsm=landlock,… (cat /sys/kernel/security/lsm), or use Linux 5.13 or newer",
  );
}

/** No fault: certificates are shown in sshd's arguments for a moment, and are worth nothing without their key. */
function hiddenProcesses(mounts: string): Found {
  const proc = mounts.split("\n").find((line) => line.split(" ")[4] === "/proc");
  const hidden = /\bhidepid=(?!0|off)/.test(proc ?? "");
  return ok(
    hidden
      ? "/proc hides others' processes"
      : "/proc shows accounts each other's processes (hidepid would not)",
  );
}
