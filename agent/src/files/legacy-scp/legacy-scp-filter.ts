import { createHash, type Hash } from "node:crypto";
import type { FileAccess } from "../file-access.ts";
import { type Direction, inside } from "../prepared-transfer.ts";
import type { FilterOutputs, StreamFilter } from "../stream-filter.ts";
import { errorLine, ScpExchange, type ScpRecord } from "./scp-exchange.ts";

/** Where a transfer begins. */
export interface ScpPlace {
  direction: Direction;
  /** The path that was asked for, after symbolic links. */
  path: string;
  /** It is a directory, so what is put there goes into it under its own name. */
  isDirectory: boolean;
}

type Operation = "read" | "write" | "make-directory" | "list";

/**
 * Follows `scp -t` and `scp -f` file by file. What is refused is refused in the protocol's own words, so that the
 * contractor's scp prints the sentence, goes on with the next file and ends with status 1.
 */
export class LegacyScpFilter implements StreamFilter {
  readonly #outputs: FilterOutputs;
  readonly #access: FileAccess;
  readonly #place: ScpPlace;
  readonly #exchange: ScpExchange;
  /** Real paths of the directories that have been entered. */
  readonly #directories: string[] = [];
  #entering: string | null = null;
  #file: { path: string; size: number; bytes: number; hash: Hash } | null = null;

  constructor(outputs: FilterOutputs, access: FileAccess, place: ScpPlace) {
    this.#outputs = outputs;
    this.#access = access;
    this.#place = place;
    const upload = place.direction === "write";
    this.#exchange = new ScpExchange({
      toSink: (bytes) => (upload ? outputs.toServer(bytes) : outputs.toClient(bytes)),
      toSource: (bytes) => (upload ? outputs.toClient(bytes) : outputs.toServer(bytes)),
      judge: (record) => this.#judge(record),
      answered: (record, error, complete) => this.#answered(record, error, complete),
      data: (bytes) => this.#data(bytes),
      complained: (message) => this.#complained(message),
      broken: (message) => outputs.broken(message),
    });
  }

  fromClient(bytes: Buffer): void {
    if (this.#place.direction === "write") this.#exchange.fromSource(bytes);
    else this.#exchange.fromSink(bytes);
  }

  fromServer(bytes: Buffer): void {
    if (this.#place.direction === "write") this.#exchange.fromSink(bytes);
    else this.#exchange.fromSource(bytes);
  }

  end(): void {
    const file = this.#file;
    if (file === null) return;
    this.#file = null;
    this.#tell(
      this.#moves,
      file.path,
      "failed",
      `it ended after ${file.bytes} of ${file.size} bytes`,
      file.bytes,
    );
  }

  get #moves(): "read" | "write" {
    return this.#place.direction;
  }

  #judge(record: ScpRecord): string | null {
    if (record.kind === "times" || record.kind === "end") return null;
    const operation: Operation =
      record.kind === "file" ? this.#moves : this.#moves === "write" ? "make-directory" : "list";
    const name = nameOf(record.name);
    if (name === null)
      return this.#refuse(
        operation,
        printableName(record.name),
        "a name is UTF-8, has no slash and is neither . nor ..",
      );
    const path = this.#pathOf(name);
    const real = this.#access.follow(path);
    if (real === null || !this.#mayMove(real))
      return this.#refuse(operation, path, `it is not in a directory that may be ${this.#may} here`);
    if (record.kind === "file" && this.#moves === "write") {
      const tooLarge = sizeRefusal(record.size, this.#access.maxFileSize(real));
      if (tooLarge !== null) return this.#refuse(operation, path, tooLarge);
    }
    if (record.kind === "file")
      this.#file = { path: real, size: record.size, bytes: 0, hash: createHash("sha256") };
    else this.#entering = real;
    return null;
  }

  /** The first record's name counts only where it goes into a directory, or comes from one. */
  #pathOf(name: string): string {
    const directory = this.#directories.at(-1);
    if (directory !== undefined) return inside(directory, name);
    const { path, isDirectory, direction } = this.#place;
    return direction === "write" && isDirectory ? inside(path, name) : path;
  }

  #answered(record: ScpRecord, error: string | null, complete: boolean): void {
    if (record.kind === "end" && error === null) this.#directories.pop();
    if (record.kind === "directory" && this.#entering !== null) {
      const path = this.#entering;
      this.#entering = null;
      if (error === null) this.#directories.push(path);
      const operation = this.#moves === "write" ? "make-directory" : "list";
      this.#tell(operation, path, error === null ? "ok" : "failed", error ?? "", null);
    }
    const file = this.#file;
    if (record.kind !== "file" || file === null || (error === null && !complete)) return;
    this.#file = null;
    const sha256 = complete ? file.hash.digest("hex") : null;
    this.#tell(this.#moves, file.path, error === null ? "ok" : "failed", error ?? "", file.bytes, sha256);
  }

  /** What the host's scp could not read is of interest; what the contractor's could not is nobody's. */
  #complained(message: string): void {
    if (this.#moves === "write") return;
    this.#tell("read", this.#directories.at(-1) ?? this.#place.path, "failed", message, null);
  }

  #data(bytes: Buffer): void {
    if (this.#file === null) return;
    this.#file.bytes += bytes.length;
    this.#file.hash.update(bytes);
  }

  #mayMove(path: string): boolean {
    return this.#moves === "write" ? this.#access.mayWrite(path) : this.#access.mayRead(path);
  }

  get #may(): string {
    return this.#moves === "write" ? "written" : "read";
  }

  #refuse(operation: Operation, path: string, detail: string): string {
    this.#tell(operation, path, "refused", detail, null);
    // What the host's scp does not send, the contractor's must hear of all the same.
    const sentence = `${path}: ${detail}.`;
    if (this.#moves === "read") this.#outputs.toClient(errorLine(sentence));
    return sentence;
  }

  #tell(
    operation: Operation,
    path: string,
    result: "ok" | "refused" | "failed",
    detail: string,
    bytes: number | null,
    sha256: string | null = null,
  ): void {
    this.#outputs.event({
      type: "file",
      protocol: "legacy-scp",
      operation,
      path: path.slice(0, 4096),
      target: null,
      bytes,
      sha256,
      result,
      detail: detail.slice(0, 4096),
    });
  }
}

function sizeRefusal(size: number, largest: number): string | null {
  return size <= largest ? null : `it has ${size} bytes; at most ${largest} may be put there`;
}

/** A name as one part of a path; null for one that would lead elsewhere, or cannot be told. */
function nameOf(bytes: Buffer): string | null {
  const name = bytes.toString("utf8");
  if (!Buffer.from(name).equals(bytes) || bytes.length > 255) return null;
  return name === "." || name === ".." || /[/\0\n]/.test(name) ? null : name;
}

function printableName(bytes: Buffer): string {
  return bytes.toString("latin1").slice(0, 1024);
}
