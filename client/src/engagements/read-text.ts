import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { MAX_POLICY } from "@sallyport/core/messages/policy.ts";

const STDIN = 0;

/** A file of ours as text, and the name that mistakes in it are reported under; `-` is standard input. Code `usage`. */
export function readText(file: string): { text: string; file: string } {
  if (file === "-") return { text: read(STDIN, "standard input"), file: "stdin" };
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "error";
    throw new SallyportError("usage", `${file} cannot be read (${why}).`, { cause });
  }
  try {
    if (fstatSync(fd).isDirectory())
      throw new SallyportError("usage", `${file} is a directory; name a file.`);
    return { text: read(fd, file), file };
  } finally {
    closeSync(fd);
  }
}

function read(fd: number, name: string): string {
  const pieces: Buffer[] = [];
  for (let length = 0; ; ) {
    const piece = Buffer.alloc(64 * 1024);
    const count = readSync(fd, piece);
    if (count === 0) return Buffer.concat(pieces).toString("utf8");
    length += count;
    if (length > MAX_POLICY)
      throw new SallyportError("usage", `${name} is larger than ${MAX_POLICY / 1024 / 1024} MiB.`);
    pieces.push(piece.subarray(0, count));
  }
}
