import { closeSync, openSync, statSync, writeSync } from "node:fs";
import type { Context } from "../context.ts";
import { writeDurably } from "../state/durable-file.ts";

/**
 * Writes an export to a file, whole or not at all, or to standard output. A recording may hold secrets, so a new file is
 * readable by its owner only. A device or a pipe is written to as it is.
 */
export function writeOut(
  context: Pick<Context, "stdout">,
  file: string | undefined,
  pieces: Iterable<Uint8Array>,
): void {
  if (file === undefined) {
    for (const piece of pieces) context.stdout.write(piece);
  } else if (statSync(file, { throwIfNoEntry: false })?.isFile() ?? true) {
    writeDurably(file, pieces);
  } else {
    const target = openSync(file, "w");
    for (const piece of pieces) for (let at = 0; at < piece.length; ) at += writeSync(target, piece, at);
    closeSync(target);
  }
}
