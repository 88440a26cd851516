import type { FileGrant } from "../../files/file-grant.ts";
import type { Finding } from "./finding.ts";
import { isIn, whyStartsCode, whyWideToWrite } from "./places.ts";

/** Directories that a contractor should not be able to write to. `programs`: what the engagement's rules execute. */
export function lintFiles(
  { directories }: FileGrant,
  path: readonly PropertyKey[],
  programs: readonly string[],
): Finding[] {
  return directories.flatMap((directory, index): Finding[] => {
    if (directory.access === "read") return [];
    const at = [...path, "directories", index, "path"];
    const inner = directories
      .filter((other) => other !== directory && other.access === "read")
      .map((other) => other.path);
    const startup =
      inner.some((other) => other === "~/.ssh") && directory.path !== "~/.ssh"
        ? null
        : whyStartsCode(directory.path);
    const wide = whyWideToWrite(directory.path);
    const held = programs.find((program) => program.startsWith("/") && isIn(program, directory.path));
    if (held !== undefined)
      return [
        {
          severity: "danger",
          code: "files-programs",
          path: at,
          message: `${held}, which a rule executes, is in ${directory.path}: whoever puts a file there runs anything.`,
        },
      ];
    if (startup !== null)
      return [
        {
          severity: "danger",
          code: "files-startup-files",
          path: at,
          message: `Writing to ${directory.path} is more than it looks: ${startup}. Name a directory for what is exchanged, like ~/exchange.`,
        },
      ];
    if (wide !== null)
      return [
        {
          severity: "danger",
          code: "files-wide",
          path: at,
          message: `Writing to ${directory.path} is too much: ${wide}. Name the directory that is meant.`,
        },
      ];
    return [];
  });
}
