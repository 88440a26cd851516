import type { FileGrant, FileProtocol } from "@sallyport/core/files/file-grant.ts";
import type { FilterOutputs, StreamFilter } from "./stream-filter.ts";

/** `read`: the host sends; `write`: the host receives. */
export type Direction = "read" | "write";

/** A transfer that may start: what is run on the host, within which directories, and who follows its stream. */
export interface PreparedTransfer {
  protocol: Exclude<FileProtocol, "sftp">;
  /** A name for PROGRAM_PATH, whatever path the contractor's program asked for. */
  program: "scp" | "rsync";
  /** With the program's name first; nothing in it is text that was not checked. */
  argv: string[];
  /** No file may grow beyond so many bytes by its hand (setrlimit(2), RLIMIT_FSIZE); null where none is set. */
  largestFile: number | null;
  /** What this one transfer needs of the grants, after symbolic links: what the kernel is to confine it to. */
  confine: FileGrant;
  /** It may not start where the kernel cannot confine it: its stream is not followed path by path. */
  needsConfinement: boolean;
  filter(outputs: FilterOutputs): StreamFilter;
}

/** Why a transfer does not start, as a sentence for the contractor. */
export interface TransferRefusal {
  detail: string;
}

/** The real paths of granted directories that lie inside `path`: there other rules may hold. */
export function grantedInside(grants: readonly FileGrant[], path: string, home: string): string[] {
  const under = path === "/" ? "/" : `${path}/`;
  return grants
    .flatMap((grant) => grant.directories.map((one) => one.path))
    .map((one) => (one === "~" ? home : one.startsWith("~/") ? home + one.slice(1) : one))
    .filter((one) => one.startsWith(under) && one !== path);
}

/** `directory` and a name in it. */
export function inside(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}
