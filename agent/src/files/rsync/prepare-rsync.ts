import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { FileDirectory, FileGrant } from "@sallyport/core/files/file-grant.ts";
import { FileAccess, type FileSurroundings, settleGrants } from "../file-access.ts";
import {
  type Direction,
  grantedInside,
  type PreparedTransfer,
  type TransferRefusal,
} from "../prepared-transfer.ts";
import { parseRsyncArguments, type RsyncArguments } from "./rsync-arguments.ts";
import { RsyncFilter } from "./rsync-filter.ts";
import { logFormat } from "./rsync-log.ts";

/** rsync's log goes where its warnings go: no file has to be made that the account could write to. */
const LOG_FILE = "--log-file=/proc/self/fd/2";

/** They read what is there, or put it elsewhere first. */
const READING = ["append", "fuzzy", "partial-dir", "temp-dir"];

/**
 * Judges `rsync --server …` before it starts. Every grant must allow it. What rsync then does is held by the kernel to the
 * directories of `confine`: inside them nothing may be granted less.
 */
export function prepareRsync(
  words: readonly string[],
  grants: readonly FileGrant[],
  around: FileSurroundings,
): PreparedTransfer | TransferRefusal {
  if (!grants.every((grant) => grant.protocols.includes("rsync")))
    return { detail: "rsync is not granted here." };
  const parsed = parseRsyncArguments(words);
  if ("detail" in parsed) return parsed;
  const settled = settleGrants(grants);
  const places = new Places(new FileAccess(settled, around), settled);
  const paths = parsed.paths.map((path) => places.add(path, parsed.direction));
  const [destination = "/"] = paths;
  const directories = parsed.directories.map(({ option, path }) => ({
    option,
    path: places.addBeside(destination, option, path),
  }));
  if (places.refusal !== null) return { detail: places.refusal };
  const reading = places.readable ? undefined : READING.find((name) => parsed.names.has(name));
  if (reading !== undefined)
    return {
      detail: `The option --${reading} of rsync is not allowed here: nothing may be read where it writes.`,
    };
  const { maxFileSize } = places;
  const mark = randomBytes(8).toString("hex");
  return {
    protocol: "rsync",
    program: "rsync",
    argv: [
      ...["rsync", "--server", ...(parsed.direction === "read" ? ["--sender"] : [])],
      ...parsed.options.filter((option) => !option.startsWith("--max-size=") || maxFileSize === null),
      // Of two that contradict one another, rsync takes the later.
      ...[LOG_FILE, `--log-file-format=${logFormat(mark)}`, ...own(parsed, maxFileSize, places.readable)],
      ...directories.map(({ option, path }) => `--${option}=${path}`),
      ...[".", ...parsed.paths.map((said, i) => passed(said, paths[i] ?? "/", parsed, places.home))],
    ],
    // rsync goes by the sizes that its other side tells, the kernel by what is written.
    largestFile: maxFileSize,
    confine: { protocols: ["rsync"], directories: places.directories },
    needsConfinement: true,
    filter: (outputs) =>
      new RsyncFilter(outputs, {
        direction: parsed.direction,
        base: parsed.direction === "read" ? "/" : destination,
        directories: places.directories.map(({ path }) => path),
        maxFileSize,
        mark,
      }),
  };
}

/** Options of ours. */
function own(
  { direction, options }: RsyncArguments,
  maxFileSize: number | null,
  readable: boolean,
): string[] {
  if (direction === "read") return [];
  // The contractor's own limit, where it is the narrower one.
  const said = options.filter((option) => option.startsWith("--max-size=")).at(-1);
  const limit =
    maxFileSize === null ? null : Math.min(maxFileSize, said === undefined ? Infinity : bytesOf(said));
  return [
    // A link out of the transfer is for whoever follows it one day; it is left out.
    // Nor does anything begin to run as the account by the hand of another.
    ...["--safe-links", "--chmod=ug-s"],
    ...(limit === null ? [] : [`--max-size=${limit}`, "--info=skip1"]),
    // What may not be read is not compared either: the differences would tell what is in it. A file of another name, to be
    // renamed, would be opened for reading too.
    ...(readable ? [] : ["--whole-file", "--inplace"]),
  ];
}

/** rsync(1), SIZE: K, KiB and so on are of 1024, KB and so on of 1000. */
function bytesOf(option: string): number {
  const [, number = "0", unit = "", thousand = ""] = /=([\d.]+)([kmgtp]?)(i?b?)/i.exec(option) ?? [];
  const base = thousand.toLowerCase() === "b" ? 1000 : 1024;
  return Math.floor(Number(number) * base ** ("kmgtp".indexOf(unit.toLowerCase() || "-") + 1));
}

/** The path for rsync: absolute, so that its log says where; with what a slash, and with `-R` a `/./`, means. */
function passed(
  said: string,
  real: string,
  { direction, letters, names }: RsyncArguments,
  home: string,
): string {
  if (direction === "write") return said.endsWith("/") && real !== "/" ? `${real}/` : real;
  if (said.startsWith("/")) return said;
  const relative = (letters.has("R") || names.has("files-from")) && !`/${said}`.includes("/./");
  return relative ? `${home}/./${said}` : `${home}/${said}`;
}

/** Collects where a transfer goes, and the first reason why it may not. */
class Places {
  refusal: string | null = null;
  maxFileSize: number | null = null;
  /** What is written to may be read as well. */
  readable = true;
  readonly directories: FileDirectory[] = [];
  readonly #access: FileAccess;
  readonly #grants: readonly FileGrant[];

  constructor(access: FileAccess, grants: readonly FileGrant[]) {
    this.#access = access;
    this.#grants = grants;
  }

  get home(): string {
    return this.#access.home;
  }

  /** A path that was named; returns where it leads. */
  add(path: string, direction: Direction): string {
    const real = this.#access.follow(path);
    if (real === null || !this.#may(real, direction)) {
      this.refusal ??= `${path} is not in a directory that may be ${direction === "write" ? "written" : "read"} here.`;
      return "/";
    }
    const isDirectory = statSync(real, { throwIfNoEntry: false })?.isDirectory() ?? false;
    // A file is made beside what is there, and gets its name at the end.
    this.#confine(isDirectory || !this.#may(dirname(real), direction) ? real : dirname(real), direction);
    return real;
  }

  /** A directory of an option: a name in every directory of the destination, or a path from there. */
  addBeside(destination: string, option: string, path: string): string {
    if (/^[^/]+$/.test(path) && path !== "." && path !== ".." && !/\p{Cc}/u.test(path)) {
      if (option === "partial-dir") return path;
    }
    const direction = option.endsWith("-dest") ? "read" : "write";
    return this.add(path.startsWith("/") ? path : `${destination}/${path}`, direction);
  }

  #confine(path: string, direction: Direction): void {
    const narrower = grantedInside(this.#grants, path, this.home).find((one) => !this.#may(one, direction));
    if (narrower !== undefined)
      this.refusal ??= `rsync cannot be kept out of ${narrower}, which is inside ${path}. Name what is beside it, or use sftp.`;
    const inside = [path, ...grantedInside(this.#grants, path, this.home)];
    const readable = inside.every((one) => this.#access.mayRead(one));
    if (direction === "write") {
      this.readable &&= readable;
      const limit = Math.min(
        ...inside.map((one) => this.#access.maxFileSize(one)),
        this.maxFileSize ?? Infinity,
      );
      if (limit !== Infinity) this.maxFileSize = limit;
    }
    const access = direction === "read" ? "read" : readable ? "read-write" : "write";
    this.directories.push({ path, access, maxFileSize: null });
  }

  #may(path: string, direction: Direction): boolean {
    return direction === "write" ? this.#access.mayWrite(path) : this.#access.mayRead(path);
  }
}
