/** What a decision has to know about the host's files: the I/O that core has not. */
export interface HostFiles {
  /**
   * realpath(3); of a path whose last part is not there, its parent's and that part. Of a symbolic link that leads nowhere, where a
   * file would be made through it, never the place of the link. Null where that is not to be had.
   */
  real(path: string): string | null;
  /** Absolute path of an executable regular file: itself, or a name's first on PROGRAM_PATH; null where there is none. */
  program(name: string): string | null;
}

/** The same, asked once for each path: a decision has one view of the host. */
export function remembered(files: HostFiles): HostFiles {
  const [reals, programs] = [new Map<string, string | null>(), new Map<string, string | null>()];
  const once = (known: Map<string, string | null>, key: string, ask: (key: string) => string | null) => {
    let answer = known.get(key);
    if (answer === undefined) {
      answer = ask(key);
      known.set(key, answer);
    }
    return answer;
  };
  return {
    real: (path) => once(reals, path, (key) => files.real(key)),
    program: (name) => once(programs, name, (key) => files.program(key)),
  };
}
