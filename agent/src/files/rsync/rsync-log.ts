/*
 * What rsync says of each file on its standard error, where its log goes here: lines `DATE TIME [PID] …` of log.c, among
 * them those of our format for each entry that was moved or removed. Its names are printable: rsync writes any other byte,
 * and a `\#` before digits, as `\#ooo`, so that no name makes a line or a `//`.
 */

/**
 * For `--log-file-format`; fields between what no cleaned path contains. A contractor's rsync can send messages, which
 * come to stand in the log too: only what begins with `mark`, which it cannot know, is an entry. Where `mark` is not at the
 * end as well, the line was too long for rsync (2 KB), which then leaves its end out, and the newline.
 */
export function logFormat(mark: string): string {
  return `${mark}//%o//%l//%i//%f//%n%L//${mark}`;
}

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
  /** Of the path, this is only the beginning. */
  cut: boolean;
}

export type RsyncLogLine =
  | { kind: "entry"; entry: RsyncLogEntry }
  | { kind: "too-large"; path: Buffer }
  | { kind: "note"; text: string }
  | { kind: "no-log" };

const BEGINNING = /\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[(\d{1,10})\] /;
const PREFIX = new RegExp(`^${BEGINNING.source}`);
const ENTRY = /^(send|recv|del\.)\/\/(\d{1,18})\/\/(.{11})\/\/(.+?)(?:\/\/(.*))?$/;
const NO_LOG = /^rsync: (\[\w+\] )?failed to open log-?file|^[Ii]gnoring "log file"/;

/** The lines that a line is, where one before lost its newline. */
export function logLines(line: string, mark: string): string[] {
  return line.includes(mark)
    ? line.split(new RegExp(`(?=${BEGINNING.source.replace("(", "(?:")}${mark}//)`))
    : [line];
}

/** Reads one line of standard error, without its end; null for one that is not the log's. Letters are bytes (Latin-1). */
export function readLogLine(line: string, mark: string): RsyncLogLine | null {
  const prefix = PREFIX.exec(line);
  if (prefix === null) return NO_LOG.test(line) ? { kind: "no-log" } : null;
  const text = line.slice(prefix[0].length);
  if (text.startsWith(`${mark}//`)) {
    const entry = readEntry(Number(prefix[1]), text.slice(mark.length + 2), `//${mark}`);
    return entry === null ? { kind: "note", text } : { kind: "entry", entry };
  }
  const tooLarge = /^(.+) is over max-size$/.exec(text);
  if (tooLarge !== null) return { kind: "too-large", path: unescaped(tooLarge[1] ?? "") };
  return { kind: "note", text };
}

function readEntry(pid: number, text: string, end: string): RsyncLogEntry | null {
  const whole = text.endsWith(end);
  // What another message began behind one without an end is not of its name.
  const fields = whole ? text.slice(0, -end.length) : text.replace(new RegExp(`${BEGINNING.source}.*$`), "");
  const [found, operation, size, change = "", path = "", name] = ENTRY.exec(fields) ?? [];
  if (found === undefined) return null;
  const rest = whole ? (name ?? "") : "";
  const [, target] = / (?:->|=>) (.*)$/.exec(change[1] === "L" || change[0] === "h" ? rest : "") ?? [];
  return {
    operation: operation as RsyncLogEntry["operation"],
    pid,
    size: Number(size),
    change,
    path: unescaped(path),
    directory: operation === "del." ? rest.endsWith("/") : change[1] === "d",
    target: target === undefined ? null : unescaped(target).toString("utf8"),
    cut: name === undefined,
  };
}

/** A name as it is on the disk. */
function unescaped(text: string): Buffer {
  return Buffer.from(
    text.replace(/\\#([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    "latin1",
  );
}
