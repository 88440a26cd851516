/*
 * What rsync says of each file on its standard error, where its log goes here: lines `DATE TIME [PID] …` of log.c, among
 * them those of our format for each entry that was moved or removed. Its names are printable: rsync writes any other byte,
 * and a `\#` before digits, as `\#ooo`, so that no name makes a line or a `//`.
 */

/** For `--log-file-format`; fields between what no cleaned path contains. */
export const LOG_FORMAT = "%o//%l//%i//%f//%n%L";

/** An entry that rsync has moved or removed. */
export interface RsyncLogEntry {
  operation: "send" | "recv" | "del.";
  /** The process that says so: what one process says is in order. */
  pid: number;
  /** Of the whole file, in bytes. */
  size: number;
  /** `%i` of rsync(1): `>f+++++++++` is a new file. */
  change: string;
  /** As bytes; relative to the destination, or to `/` where the host sends. */
  path: Buffer;
  directory: boolean;
  /** Where a symbolic link points, or what a hard link is another name of. */
  target: string | null;
}

export type RsyncLogLine =
  | { kind: "entry"; entry: RsyncLogEntry }
  | { kind: "too-large"; path: Buffer }
  | { kind: "note"; text: string }
  | { kind: "no-log" };

const PREFIX = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[(\d{1,10})\] /;
const ENTRY = /^(send|recv|del\.)\/\/(\d{1,18})\/\/(.{11})\/\/(.+?)\/\/(.*)$/;
const NO_LOG = /failed to open log-?file|[Ii]gnoring "log file"/;

/** Reads one line of standard error, without its end; null for one that is not the log's. Letters are bytes (Latin-1). */
export function readLogLine(line: string): RsyncLogLine | null {
  if (NO_LOG.test(line)) return { kind: "no-log" };
  const prefix = PREFIX.exec(line);
  if (prefix === null) return null;
  const text = line.slice(prefix[0].length);
  const found = ENTRY.exec(text);
  if (found !== null) return { kind: "entry", entry: entryOf(Number(prefix[1]), found) };
  const tooLarge = /^(.+) is over max-size$/.exec(text);
  if (tooLarge !== null) return { kind: "too-large", path: unescaped(tooLarge[1] ?? "") };
  return { kind: "note", text };
}

function entryOf(
  pid: number,
  [, operation, size, change = "", path = "", rest = ""]: RegExpExecArray,
): RsyncLogEntry {
  const [, target] = / (?:->|=>) (.*)$/.exec(change[1] === "L" || change[0] === "h" ? rest : "") ?? [];
  return {
    operation: operation as RsyncLogEntry["operation"],
    pid,
    size: Number(size),
    change,
    path: unescaped(path),
    directory: operation === "del." ? rest.endsWith("/") : change[1] === "d",
    target: target === undefined ? null : unescaped(target).toString("utf8"),
  };
}

/** A name as it is on the disk. */
function unescaped(text: string): Buffer {
  return Buffer.from(
    text.replace(/\\#([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    "latin1",
  );
}
