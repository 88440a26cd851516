import { MAX_SHIM_FRAME, shimFrame } from "./shim-protocol.ts";

/*
 * What a shim is told to start, as an `x` frame: fields `kind (1 byte) | u32 length | bytes`, in this order of meaning.
 *
 *   t terminal          path of the session's terminal (pipes without one)
 *   E clear             empty: the environment is emptied before the `e` fields
 *   u NAME, e NAME=v    unset, set; for all stages here, and for one alone behind its `f`
 *   D direct            empty: the child's standard input and output are not pumped by the shim, see below; of its
 *                       standard error the recorder is told, and shows it by `t`
 *   then for each stage of a pipeline, the first without its `|`:
 *   | next stage        empty: what follows is of the next program, whose standard input is the output of the one before
 *   f file, a argument  for execv(2); at least one `a`
 *   c directory         chdir(2) before it is executed; the session cannot start where that fails
 *   N                   empty: prctl(PR_SET_NO_NEW_PRIVS)
 *   L layer             u64 handled_access_fs, u64 handled_access_net, u64 scoped: a new Landlock ruleset (landlock(7)),
 *                       enforced just before execv, after N; the session cannot start where the kernel refuses it
 *   P rule              u64 allowed_access, path: LANDLOCK_RULE_PATH_BENEATH of the layer before; a path that is not
 *                       there, or goes over a symbolic link, gives nothing, and is no failure; of what is no directory
 *                       only the rights that such a thing has count. `path NUL name NUL name…` stands for as many rules.
 *
 * With several stages all are in the child's process group; the first in the session, a leader of ours that ignores
 * SIGINT and SIGQUIT, waits for all of them and ends like the last one. Without `t` and without `D` it is the same with pipes.
 *
 * More frames than before:
 *   recorder → shim   y  no child yet: pump what is typed; an `x` follows later (a prompt)
 *                     x  may come again after the `w` of the child before
 *                     k  signal number (1 byte) for the child's process group; SIGKILL also for what has left it, now and
 *                        until the next child
 *                     t, z may come instead of the first `x`: a session that is refused
 *   shim → recorder   c  the child has been started; with `D`: its pid and our ends of its standard input and output, as
 *                        3 × u32 (descriptor numbers of the shim: the recorder takes them, and the shim's 0 and 1, by
 *                        pidfd_getfd(2), and pumps itself). The shim closes its copies of the two when it gets an `m`.
 *                        Standard error comes in `e` frames all the same, but is not shown: what should be comes back in `t`.
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
  /** Set for it alone, over what is set for all. */
  set?: Record<string, string>;
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

/** Most programs in a pipeline, and arguments of one; the same in shim.h. */
export const MAX_STAGES = 16;
export const MAX_STAGE_ARGUMENTS = 1024;

/** Encodes an `x` frame. Throws a `RangeError` where the shim would not take it: too many arguments, or too long. */
export function encodeStart(start: StartInstructions): Buffer {
  const fields: Buffer[] = [];
  const add = (kind: string, value: string | Uint8Array = ""): void => {
    const bytes = Buffer.from(value as Uint8Array);
    const head = Buffer.allocUnsafe(5);
    head.writeUInt8(kind.charCodeAt(0), 0);
    head.writeUInt32BE(bytes.length, 1);
    fields.push(head, bytes);
  };
  const { stages } = start;
  if (stages.length === 0 || stages.length > MAX_STAGES) throw new RangeError("too many programs at once");
  if (start.terminal !== null) add("t", start.terminal);
  if (start.clear) add("E");
  for (const name of start.unset) add("u", name);
  for (const [name, value] of Object.entries(start.set)) add("e", `${name}=${value}`);
  if (start.direct) add("D");
  for (const [index, stage] of stages.entries()) {
    if (stage.arguments.length > MAX_STAGE_ARGUMENTS) throw new RangeError("too many arguments");
    if (index > 0) add("|");
    add("f", stage.file);
    for (const [name, value] of Object.entries(stage.set ?? {})) add("e", `${name}=${value}`);
    for (const argument of stage.arguments) add("a", argument);
    if (stage.directory !== null) add("c", stage.directory);
    if (stage.noNewPrivileges) add("N");
    for (const { handledFs, handledNet, scoped, rules } of stage.layers) {
      add("L", uint64s(handledFs, handledNet, scoped));
      for (const [allowed, paths] of together(rules))
        add("P", Buffer.concat([uint64s(allowed), Buffer.from(paths.join("\0"))]));
    }
  }
  if (fields.reduce((sum, { length }) => sum + length, 1) > MAX_SHIM_FRAME)
    throw new RangeError("the command is too long");
  return shimFrame("x", ...fields);
}

/** Rules with the same rights in the same directory, one after the other, in one field: there can be thousands. */
function together(rules: LandlockLayer["rules"]): [bigint, string[]][] {
  const fields: [bigint, string[]][] = [];
  for (const { allowed, path } of rules) {
    const cut = path.lastIndexOf("/");
    const [directory, name] = [path.slice(0, cut), path.slice(cut + 1)];
    const last = fields.at(-1);
    if (cut <= 0) fields.push([allowed, [path]]);
    else if (last?.[0] === allowed && last[1].length > 1 && last[1][0] === directory) last[1].push(name);
    else fields.push([allowed, [directory, name]]);
  }
  return fields;
}

function uint64s(...values: bigint[]): Buffer {
  const bytes = Buffer.allocUnsafe(8 * values.length);
  for (const [index, value] of values.entries()) bytes.writeBigUInt64BE(value, 8 * index);
  return bytes;
}
