import { closeSync, openSync, statSync, writeSync } from "node:fs";
import type { Context } from "../context.ts";
import { writeDurably, writeDurablyAsItComes } from "../state/durable-file.ts";

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
  } else if (isToBeReplaced(file)) {
    writeDurably(file, pieces);
  } else {
    const target = openSync(file, "w");
    for (const piece of pieces) writeWhole(target, piece);
    closeSync(target);
  }
}

/** {@link writeOut} for what comes little by little. */
export async function writeOutAsItComes(
  context: Pick<Context, "stdout">,
  file: string | undefined,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  if (file === undefined) {
    for await (const piece of pieces) context.stdout.write(piece);
  } else if (isToBeReplaced(file)) {
    await writeDurablyAsItComes(file, pieces);
  } else {
    const target = openSync(file, "w");
    for await (const piece of pieces) writeWhole(target, piece);
    closeSync(target);
  }
}

function isToBeReplaced(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? true;
}

function writeWhole(target: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(target, bytes, at);
}
