import { parseLine } from "@sallyport/core/commands/parse-line.ts";
import type { FileGrant } from "@sallyport/core/files/file-grant.ts";
import type { FileSurroundings } from "./file-access.ts";
import { prepareLegacyScp } from "./legacy-scp/prepare-legacy-scp.ts";
import type { PreparedTransfer, TransferRefusal } from "./prepared-transfer.ts";
import { prepareRsync } from "./rsync/prepare-rsync.ts";

/**
 * Judges the command that a contractor's `scp -O` or `rsync` sends for its far side, before anything starts: as words that
 * no shell will see. Every grant must allow it.
 */
export function prepareTransfer(
  protocol: PreparedTransfer["protocol"],
  command: string,
  grants: readonly FileGrant[],
  around: FileSurroundings,
): PreparedTransfer | TransferRefusal {
  const line = parseLine(command, { pipes: false });
  if (!line.ok) return { detail: line.message };
  const words = line.stages[0]?.map(({ text }) => text) ?? [];
  return protocol === "rsync" ? prepareRsync(words, grants, around) : prepareLegacyScp(words, grants, around);
}
