import { existsSync, readFileSync } from "node:fs";

/** The last lines of a log, as a clause for an error message. */
export function logTail(file: string, lines = 10): string {
  const text = existsSync(file) ? readFileSync(file, "utf8").trimEnd() : "";
  return text === ""
    ? `${file} is empty.`
    : `The end of ${file}:\n${text.split("\n").slice(-lines).join("\n")}`;
}
