/** Errors that are about the machine, not about one recording: the same call may well succeed a moment later. */
const PASSING = new Set(["ENOSPC", "EDQUOT", "EROFS", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR"]);

/** True for an error of the system that passes when there is room again; a bad sector, say, does not. */
export function isPassing(error: unknown): boolean {
  return error instanceof Error && "code" in error && PASSING.has(String(error.code));
}
