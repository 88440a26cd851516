import {
  closeSync,
  constants,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import { Id } from "@sallyport/core/names.ts";
import { Revocation } from "@sallyport/core/policy/revocation.ts";
import { syncDirectory } from "@sallyport/uplink/spool/durable.ts";
import type { Placed } from "./revocation-table.ts";

const CHUNK = 256 * 1024;
/** A line is never longer: the schema bounds an entry's texts. */
const MAX_LINE = 16 * 1024;
const NEWLINE = 10;
const UNREADABLE = Id.parse(`rev_${"0".repeat(26)}`);

/** One line as it is read: the entry, its text, and where it begins. */
export interface StoredEntry {
  entry: Revocation;
  line: string;
  offset: number;
}

/**
 * A file of revocations, one canonical JSON line each, that only ever grows at its end. What a crash left half written at the end is
 * no entry, and is cut off when the next one is written.
 */
export class RevocationFile {
  path: string;
  #fd: number | undefined;
  /** Bytes that are whole lines. */
  #end = 0;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Reads what there is, from the beginning. A line that is no entry ends what counts as the file's: what stands behind it is given
   * with `offset` -1. Writes nothing.
   */
  *read(): Iterable<StoredEntry> {
    this.#end = 0;
    let damaged = false;
    for (const { line, offset, end } of this.#lines()) {
      const stored = parse(line, damaged ? -1 : offset);
      if (stored === undefined) damaged = true;
      else {
        if (!damaged) this.#end = end;
        yield stored;
      }
    }
  }

  /** How long it is on the disk. */
  get bytes(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** What is read stops counting as the file's before this place; the next entry is written there. */
  cutAt(offset: number): void {
    this.#end = offset;
  }

  /** Adds entries; on the disk when it returns, with where each begins. Throws where there is no room: then none is added. */
  append(lines: readonly string[]): number[] {
    const fd = this.#open();
    const offsets: number[] = [];
    let end = this.#end;
    const buffers = lines.map((line) => {
      const bytes = Buffer.from(`${line}\n`);
      offsets.push(end);
      end += bytes.length;
      return bytes;
    });
    const bytes = Buffer.concat(buffers);
    try {
      ftruncateSync(fd, this.#end);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, this.#end + at);
      fdatasyncSync(fd);
    } catch (error) {
      ftruncateSync(fd, this.#end);
      throw error;
    }
    this.#end = end;
    return offsets;
  }

  /** The whole of an entry that counts. Where its line is gone from under us, that it counts is known all the same. */
  entryOf(found: Placed & { offset: number }): Revocation {
    const { level, target, sequence, before, at, offset } = found;
    const stored = this.entryAt(offset);
    if (stored !== undefined && stored.level === level && stored.target === target) return stored;
    const unknown = { id: UNREADABLE, by: "somebody", reason: "not readable on this host" };
    return { ...unknown, level, target, sequence, before, at };
  }

  /** The entry that begins here; undefined where there is none any more. */
  entryAt(offset: number): Revocation | undefined {
    try {
      const buffer = Buffer.alloc(MAX_LINE);
      const length = readSync(this.#open(), buffer, 0, MAX_LINE, offset);
      const end = buffer.indexOf(NEWLINE);
      return parse(buffer.toString("utf8", 0, end === -1 ? length : end), offset)?.entry;
    } catch {
      return undefined;
    }
  }

  /** Makes an empty one where there is none. */
  ensure(): void {
    this.#open();
  }

  /** Closes and removes it. */
  remove(): void {
    this.close();
    rmSync(this.path, { force: true });
    this.#end = 0;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  *#lines(): Iterable<{ line: string; offset: number; end: number }> {
    let fd: number;
    try {
      fd = openSync(this.path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    try {
      // One buffer for all of it: a long list would else leave megabytes of them behind.
      const buffer = Buffer.allocUnsafeSlow(CHUNK);
      let kept = 0; // bytes at the buffer's beginning that are of a line whose end is still to come
      for (let at = 0; ; ) {
        const length = readSync(fd, buffer, kept, CHUNK - kept, at);
        if (length === 0) return; // what has no end of line was being written when the agent ended
        at += length;
        const filled = kept + length;
        let begin = 0;
        for (
          let end = buffer.indexOf(NEWLINE);
          end !== -1 && end < filled;
          end = buffer.indexOf(NEWLINE, begin)
        ) {
          const line = buffer.toString("utf8", begin, end);
          yield { line, offset: at - filled + begin, end: at - filled + end + 1 };
          begin = end + 1;
        }
        kept = filled - begin;
        if (kept === CHUNK) return; // no line is so long
        buffer.copy(buffer, 0, begin, filled);
      }
    } finally {
      closeSync(fd);
    }
  }

  #open(): number {
    if (this.#fd === undefined) {
      this.#fd = openSync(this.path, constants.O_RDWR | constants.O_CREAT, 0o600);
      syncDirectory(dirname(this.path));
    }
    return this.#fd;
  }
}

/** The text that is stored, and that the chain is made of. */
export function lineOf(entry: Revocation): string {
  return canonicalJson(entry);
}

/** It was checked when it was written: reading a long list checks what decisions rest on. */
function parse(line: string, offset: number): StoredEntry | undefined {
  try {
    const entry = JSON.parse(line) as Revocation;
    const { level, target, sequence, before, at } = entry;
    const isEntry =
      Object.hasOwn(LEVELS, level) &&
      typeof target === "string" &&
      Number.isSafeInteger(sequence) &&
      (before === null || typeof before === "number") &&
      typeof at === "number";
    return isEntry ? { entry, line, offset } : undefined;
  } catch {
    return undefined;
  }
}

const LEVELS: Record<string, string> = Revocation.shape.level.enum;
