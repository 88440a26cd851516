import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { MAX_LINE } from "@sallyport/core/transparency/log-export.ts";

const NEWLINE = 0x0a;

/**
 * The lines of a file, read little by little. A line that is no UTF-8 becomes an empty one, which is no entry: decoded,
 * other bytes could become the same text. Codes `usage` for a file that cannot be read, `log-malformed` for a line that
 * is too long.
 */
export async function* readLines(file: string): AsyncGenerator<string, void, undefined> {
  let rest = Buffer.alloc(0);
  for await (const chunk of pieces(file)) {
    rest = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, start)) {
      yield decoded(rest.subarray(start, end));
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > MAX_LINE)
      throw new SallyportError("log-malformed", `${file} has a line that is too long for an audit log.`);
  }
  if (rest.length > 0) yield decoded(rest);
}

function decoded(line: Buffer): string {
  return isUtf8(line) ? line.toString("utf8") : "";
}

async function* pieces(file: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of createReadStream(file)) yield chunk;
  } catch (cause) {
    throw new SallyportError("usage", `${file} cannot be read.`, { cause });
  }
}
