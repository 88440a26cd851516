import { posix } from "node:path";
import { type CommandGrant, PROGRAM_PATH } from "../commands/command-rule.ts";
import type { HostFiles } from "../commands/match.ts";

/**
 * The files of a host that is not there: paths are what they say (no symbolic links), programs are where the rules say, and else in
 * /usr/bin.
 */
export function filesAsWritten(grants: readonly CommandGrant[]): HostFiles {
  const named = new Set(grants.flatMap(({ rules }) => rules.map(({ program }) => program)));
  return {
    real: (path) => (path === "/" ? path : posix.normalize(path).replace(/\/+$/, "") || "/"),
    program: (name) => {
      if (name.includes("/")) return name.startsWith("/") ? name : null;
      const known = PROGRAM_PATH.map((directory) => `${directory}/${name}`).find((path) => named.has(path));
      return known ?? `/usr/bin/${name}`;
    },
  };
}
