import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** sshd stops at this depth of files that include files. */
const MAX_DEPTH = 16;
const SSHD_DIRECTORY = "/etc/ssh";

/** One line of sshd's configuration, in the order in which sshd reads them. */
export interface ConfigLine {
  file: string;
  number: number;
  /** In lower case. */
  keyword: string;
  value: string;
  /** It stands in a Match block, of its file or of one that includes it, and so holds for some alone. */
  conditional: boolean;
}

/** The file that includes a drop-in directory: it stands beside it. */
export function mainConfigFile(dropIn: string): string {
  return resolve(dirname(dropIn), "..", "sshd_config");
}

/** Reads sshd's configuration as sshd does, included files in their place. A file that is not there has no lines. */
export function readConfigLines(file: string, conditional = false, depth = 0): ConfigLine[] {
  if (depth > MAX_DEPTH || !existsSync(file)) return [];
  const lines: ConfigLine[] = [];
  let inMatch = conditional;
  for (const [index, text] of readFileSync(file, "utf8").split("\n").entries()) {
    const [, keyword = "", value = ""] = /^\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*$/.exec(text) ?? [];
    if (keyword === "") continue;
    const line = { file, number: index + 1, keyword: keyword.toLowerCase(), value, conditional: inMatch };
    if (line.keyword === "match") {
      // "Match all" of an unconditional file ends the condition.
      inMatch = conditional || value.toLowerCase() !== "all";
      line.conditional = inMatch;
    }
    lines.push(line);
    if (line.keyword === "include")
      for (const included of includedFiles(value))
        lines.push(...readConfigLines(included, inMatch, depth + 1));
  }
  return lines;
}

/** The files that an Include line names, in the order in which sshd reads them: glob(3) sorts. */
function includedFiles(value: string): string[] {
  const patterns = value.match(/"[^"]*"|\S+/g) ?? [];
  return patterns.flatMap((pattern) => globSync(resolve(SSHD_DIRECTORY, pattern.replaceAll('"', ""))).sort());
}
