import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { FileGrant } from "@sallyport/core/files/file-grant.ts";
import { FileAccess, type FileSurroundings, settleGrants } from "../file-access.ts";
import type { PreparedTransfer, TransferRefusal } from "../prepared-transfer.ts";
import { LegacyScpFilter } from "./legacy-scp-filter.ts";
import { parseScpArguments } from "./scp-arguments.ts";

/**
 * Judges `scp -t …` or `scp -f …` before it starts. Every grant must allow it. The path is passed on after symbolic links,
 * so that scp goes where was looked.
 */
export function prepareLegacyScp(
  words: readonly string[],
  grants: readonly FileGrant[],
  around: FileSurroundings,
): PreparedTransfer | TransferRefusal {
  if (!grants.every((grant) => grant.protocols.includes("legacy-scp")))
    return { detail: "scp's old protocol (scp -O) is not granted here." };
  const parsed = parseScpArguments(words);
  if ("detail" in parsed) return parsed;
  const access = new FileAccess(settleGrants(grants), around);
  const { direction } = parsed;
  const may = (path: string) => (direction === "write" ? access.mayWrite(path) : access.mayRead(path));
  const path = access.follow(parsed.path);
  if (path === null || !may(path))
    return {
      detail: `${parsed.path} is not in a directory that may be ${direction === "write" ? "written" : "read"} here.`,
    };
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const place = { direction, path, isDirectory };
  // A slash at the end still says that it must be a directory.
  const passed = /\/\.?$/.test(parsed.path) && path !== "/" ? `${path}/` : path;
  // A new file is made in its directory.
  const confined = isDirectory || !may(dirname(path)) ? path : dirname(path);
  return {
    protocol: "legacy-scp",
    program: "scp",
    argv: ["scp", ...parsed.options, direction === "write" ? "-t" : "-f", "--", passed],
    // The filter counts.
    largestFile: null,
    confine: {
      protocols: ["legacy-scp"],
      directories: [{ path: confined, access: direction, maxFileSize: null }],
    },
    needsConfinement: false,
    filter: (outputs) => new LegacyScpFilter(outputs, access, place),
  };
}
