import { closeSync, openSync, readSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { parseHeader } from "@sallyport/core/transparency/log-export.ts";

const MAX_HEAD = 256 * 1024;

/** The signed checkpoint in a file: a checkpoint that was saved, or that of an export. Codes `usage`, `log-malformed`. */
export function earlierCheckpoint(file: string): string {
  const text = headOf(file);
  if (!text.startsWith("{")) return text;
  return parseHeader(text.split("\n", 1)[0] ?? "").checkpoint;
}

/** The first bytes of a file: an export may be long. */
function headOf(file: string): string {
  try {
    const descriptor = openSync(file, "r");
    try {
      const buffer = Buffer.alloc(MAX_HEAD);
      return buffer.toString("utf8", 0, readSync(descriptor, buffer));
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw new SallyportError("usage", `${file} cannot be read.`, { cause });
  }
}
