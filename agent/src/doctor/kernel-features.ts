import koffi from "koffi";

const libc = koffi.load("libc.so.6");
const syscall = libc.func("long syscall(long number, long a, long b, long c)");
const close = libc.func("int close(int fd)");

// The same numbers on x86-64 and arm64.
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;

/** True where pidfd_open(2) and pidfd_getfd(2) work: Linux 5.6, and no seccomp filter against them. */
export function hasPidfdGetfd(): boolean {
  const pidfd = Number(syscall(SYS_PIDFD_OPEN, process.pid, 0, 0));
  if (pidfd < 0) return false;
  const copy = Number(syscall(SYS_PIDFD_GETFD, pidfd, 0, 0));
  close(pidfd);
  if (copy < 0) return false;
  close(copy);
  return true;
}
