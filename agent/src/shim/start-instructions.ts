/*
 * What a shim is told to start, as an `x` frame: fields `kind (1 byte) | u32 length | bytes`, in this order of meaning.
 *
 *   t terminal          path of the session's terminal (pipes without one)
 *   E clear             empty: the environment is emptied before the `e` fields
 *   u NAME, e NAME=v    unset, set; for all stages
 *   D direct            empty: the child's standard input and output are not pumped by the shim; see below
 *   then for each stage of a pipeline, the first without its `|`:
 *   | next stage        empty: what follows is of the next program, whose standard input is the output of the one before
 *   f file, a argument  for execv(2); at least one `a`
 *   c directory         chdir(2) before it is executed; the session cannot start where that fails
 *   N                   empty: prctl(PR_SET_NO_NEW_PRIVS)
 *   L layer             u64 handled_access_fs, u64 handled_access_net, u64 scoped: a new Landlock ruleset (landlock(7)),
 *                       enforced just before execv, after N; the session cannot start where the kernel refuses it
 *   P rule              u64 allowed_access, path: LANDLOCK_RULE_PATH_BENEATH of the layer before; a path that is not
 *                       there gives nothing, and is no failure
 *
 * With several stages all are in the child's process group; the first in the session, a leader of ours that ignores
 * SIGINT and SIGQUIT, waits for all of them and ends like the last one. Without `t` and without `D` it is the same with pipes.
 *
 * More frames than before:
 *   recorder → shim   y  no child yet: pump what is typed; an `x` follows later (a prompt)
 *                     x  may come again after the `w` of the child before
 *                     k  signal number (1 byte) for the child's process group
 *                     t, z may come instead of the first `x`: a session that is refused
 *   shim → recorder   c  the child has been started; with `D`: its pid and our ends of its standard input and output, as
 *                        3 × u32 (descriptor numbers of the shim: the recorder takes them, and the shim's 0 and 1, by
 *                        pidfd_getfd(2), and pumps itself). The shim closes its copies when it gets an `m` frame.
 *   recorder → shim   m  the descriptors have been taken
 */

/** One Landlock ruleset: bits as in linux/landlock.h, for the kernel's ABI already. */
export interface LandlockLayer {
  handledFs: bigint;
  handledNet: bigint;
  scoped: bigint;
  rules: { allowed: bigint; path: string }[];
}

/** One program of a pipeline. */
export interface Stage {
  file: string;
  /** Bytes, because a command line is bytes (RFC 4254 §6.5) and must be executed as it came. */
  arguments: (string | Uint8Array)[];
  /** Where it runs; null leaves it where sshd put the session. */
  directory: string | null;
  noNewPrivileges: boolean;
  layers: LandlockLayer[];
}

/** What the shim should start. */
export interface StartInstructions {
  terminal: string | null;
  stages: Stage[];
  /** The environment is emptied first. */
  clear: boolean;
  set: Record<string, string>;
  unset: string[];
  /** The recorder pumps standard input and output itself. */
  direct: boolean;
}
