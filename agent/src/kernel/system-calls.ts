import koffi from "koffi";

/*
 * The few kernel calls that Node has no function for. Each is synchronous and takes microseconds; errno comes back as a
 * thrown error with the call's name.
 */

const libc = koffi.load("libc.so.6");
const getsockopt = libc.func(
  "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)",
);
const getpeername = libc.func("int getpeername(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)");
const syscall = libc.func("long syscall(long number, long a, long b, long c)");
const close = libc.func("int close(int fd)");
const ioctl = libc.func("int ioctl(int fd, unsigned long request, _Out_ uint8_t *argument)");

const fcntl = libc.func("int fcntl(int fd, int command, int argument)");
const flock = libc.func("int flock(int fd, int operation)");
const setIoctl = libc.func("int ioctl(int fd, unsigned long request, uint8_t *argument)");
const read = libc.func("long read(int fd, void *buffer, size_t count)");
const write = libc.func("long write(int fd, const void *buffer, size_t count)");

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const TCGETS = 0x5401;
const TIOCSWINSZ = 0x5414;
const TIOCGSID = 0x5429;
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const LOCK_EX_NB = 2 | 4;
const AF_INET = 2;
const AF_INET6 = 10;
// The same numbers on x86-64 and arm64 (the unified table from Linux 5.x on).
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
// Bits of c_lflag, asm-generic/termbits.h.
const ICANON = 0o2;
const ECHO = 0o10;
const LFLAG_OFFSET = 12;

/** unix(7), SO_PEERCRED: who was at the other end when the connection was made. */
export interface PeerCredentials {
  pid: number;
  uid: number;
  gid: number;
}

/** The credentials of the process that connected to a Unix socket. */
export function peerCredentials(fd: number): PeerCredentials {
  const value = Buffer.alloc(12);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, [12]) !== 0) throw failed("getsockopt(SO_PEERCRED)");
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) };
}

/**
 * The address at the other end of socket `fd` of process `pid`, got by pidfd_getfd(2) and getpeername(2); null when
 * that descriptor is no connected internet socket or the process is gone.
 */
export function peerAddressOf(pid: number, fd: number): string | null {
  const pidfd = Number(syscall(SYS_PIDFD_OPEN, pid, 0, 0));
  if (pidfd < 0) return null;
  const copy = Number(syscall(SYS_PIDFD_GETFD, pidfd, fd, 0));
  close(pidfd);
  if (copy < 0) return null;
  const address = Buffer.alloc(128);
  const got = getpeername(copy, address, [address.length]);
  close(copy);
  return got === 0 ? formatAddress(address) : null;
}

/** True when a password is being typed: echo is off, and lines are edited by the kernel (getpass(3), sudo, ssh, passwd). */
export function isEchoOff(terminalFd: number): boolean {
  const modes = Buffer.alloc(64);
  if (ioctl(terminalFd, TCGETS, modes) !== 0) return false;
  const local = modes.readUInt32LE(LFLAG_OFFSET);
  return (local & ECHO) === 0 && (local & ICANON) !== 0;
}

/** A second descriptor of the same open file, closed on exec (fcntl(2), F_DUPFD_CLOEXEC). */
export function duplicate(fd: number): number {
  const copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) throw failed("fcntl(F_DUPFD_CLOEXEC)");
  return copy;
}

/** Takes the lock of an open file (flock(2)); false when another has it. It lasts until every copy of `fd` is closed. */
export function tryLock(fd: number): boolean {
  return flock(fd, LOCK_EX_NB) === 0;
}

/** True while a terminal, asked at its master's side, controls a session: its shell lives (ioctl_tty(2), TIOCGSID). */
export function hasSession(masterFd: number): boolean {
  return ioctl(masterFd, TIOCGSID, Buffer.alloc(4)) === 0;
}

/** Sets a terminal's size; the kernel tells its foreground processes (ioctl_tty(2), TIOCSWINSZ). */
export function setWindowSize(terminalFd: number, columns: number, rows: number): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  setIoctl(terminalFd, TIOCSWINSZ, size);
}

/** read(2) on a non-blocking descriptor: the count, or 0 when nothing is there, at the end, or on any error. */
export function readAvailable(fd: number, buffer: Buffer): number {
  return Math.max(0, Number(read(fd, buffer, buffer.length)));
}

/** write(2) on a non-blocking descriptor: how much it took, or 0 when it takes nothing now, or on any error. */
export function writeAvailable(fd: number, bytes: Uint8Array): number {
  return Math.max(0, Number(write(fd, bytes, bytes.length)));
}

/** Makes a pipe hold that many bytes (fcntl(2), F_SETPIPE_SZ); left as it is where it is none, or where that is refused. */
export function enlargePipe(fd: number, size: number): void {
  fcntl(fd, F_SETPIPE_SZ, size);
}

/**
 * Copies of descriptors of another process (pidfd_getfd(2)), in the same order, closed on exec. Throws when one cannot be
 * had; then none is left open.
 */
export function takeDescriptors(pid: number, fds: readonly number[]): number[] {
  const pidfd = Number(syscall(SYS_PIDFD_OPEN, pid, 0, 0));
  if (pidfd < 0) throw failed("pidfd_open");
  const taken: number[] = [];
  try {
    for (const fd of fds) {
      const copy = Number(syscall(SYS_PIDFD_GETFD, pidfd, fd, 0));
      if (copy < 0) throw failed("pidfd_getfd");
      taken.push(copy);
    }
    return taken;
  } catch (error) {
    for (const copy of taken) close(copy);
    throw error;
  } finally {
    close(pidfd);
  }
}

function formatAddress(address: Buffer): string | null {
  const family = address.readUInt16LE(0);
  if (family === AF_INET) return [...address.subarray(4, 8)].join(".");
  if (family !== AF_INET6) return null;
  const groups = Array.from({ length: 8 }, (_, i) => address.readUInt16BE(8 + 2 * i));
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return [...address.subarray(20, 24)].join(".");
  return groups.map((group) => group.toString(16)).join(":");
}

function failed(call: string): Error {
  return new Error(`${call} failed: errno ${koffi.errno()}`);
}
