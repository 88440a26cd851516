import koffi from "koffi";

const libc = koffi.load("libc.so.6");
const syscall = libc.func("long syscall(long number, long a, long b, long c)");

// The same numbers on x86-64 and arm64; linux/landlock.h.
const SYS_LANDLOCK_CREATE_RULESET = 444;
const LANDLOCK_CREATE_RULESET_VERSION = 1;

/** What may be done with a file or what is under a directory: LANDLOCK_ACCESS_FS_*, linux/landlock.h. */
export const EXECUTE: bigint = 1n << 0n;
export const READ_FILE: bigint = 1n << 2n;
export const READ_DIRECTORY: bigint = 1n << 3n;
const WRITE_FILE = 1n << 1n;
/** Remove, and make of every kind. */
const CHANGE_DIRECTORY = 0x1ff0n;
const REFER = 1n << 13n;
const TRUNCATE = 1n << 14n;
const IOCTL_DEVICE = 1n << 15n;

/** LANDLOCK_SCOPE_*: neither abstract sockets nor signals to processes outside. */
const SCOPES = 0b11n;

/** Everything that changes something, as far as an ABI knows it (landlock(7), "Kernel interface"). */
export function writeRights(abi: number): bigint {
  const [refer, truncate, device] = [
    abi >= 2 ? REFER : 0n,
    abi >= 3 ? TRUNCATE : 0n,
    abi >= 5 ? IOCTL_DEVICE : 0n,
  ];
  return WRITE_FILE | CHANGE_DIRECTORY | refer | truncate | device;
}

/** What is kept in besides files, as far as an ABI knows it. */
export function scopes(abi: number): bigint {
  return abi >= 6 ? SCOPES : 0n;
}

/** The version of the kernel's Landlock interface (landlock_create_ruleset(2)); 0 where there is none. */
export function landlockAbi(): number {
  return Math.max(0, Number(syscall(SYS_LANDLOCK_CREATE_RULESET, 0, 0, LANDLOCK_CREATE_RULESET_VERSION)));
}
