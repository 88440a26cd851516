import type { CommandDecision } from "@sallyport/core/commands/match.ts";
import type { FileGrant } from "@sallyport/core/files/file-grant.ts";
import type { LandlockLayer } from "../shim/start-instructions.ts";
import { executables, realPath } from "./executables.ts";
import { EXECUTE, READ_DIRECTORY, READ_FILE, scopes, writeRights } from "./landlock.ts";
import { ReadableFiles } from "./readable-files.ts";

export { landlockAbi } from "./landlock.ts";

/*
 * What the kernel holds of a command or a transfer, whatever a program is talked into: which files it may execute, write
 * and read (landlock(7)). docs/decisions/0025-landlock-for-commands.md has what this closes and what it does not.
 */

const readable = new ReadableFiles(() => performance.now());

/** Looks beside other work for what may be read, so that the first command need not wait for it. */
export async function prepareConfinement(): Promise<void> {
  for (const which of ["all", "system", "loading"] as const) await readable.prepare(which);
}

/** Written to by everybody, and harmless. */
const WRITABLE_DEVICES = ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"];
const READABLE_DEVICES = [...WRITABLE_DEVICES, "/dev/random", "/dev/urandom"];
/** Devices, sockets and pipes are no files to be moved: LANDLOCK_ACCESS_FS_MAKE_CHAR, _SOCK, _FIFO and _BLOCK. */
const SPECIAL_FILES = (1n << 6n) | (1n << 9n) | (1n << 10n) | (1n << 11n);
const NETWORK = 0n;

export interface Confinement {
  layers: LandlockLayer[];
  noNewPrivileges: boolean;
}

/**
 * How the shim confines an allowed command. `abi` is {@link landlockAbi}'s; `terminal` the session's, or null. Where a
 * command runs as another account, sudo needs what would be taken: its own rules hold it then.
 */
export function confineCommand(options: {
  decision: Extract<CommandDecision, { outcome: "allow" }>;
  abi: number;
  terminal: string | null;
}): Confinement & { confined: "landlock" | "none" | "sudo" } {
  const { decision, abi, terminal } = options;
  const { confine, directory, runAs } = decision.rule;
  if (runAs !== undefined) return { layers: [], noNewPrivileges: false, confined: "sudo" };
  if (abi === 0) return { layers: [], noNewPrivileges: true, confined: "none" };
  const write = writeRights(abi);
  const rules = new Rules();
  const programs = [decision.program, ...confine.execute].flatMap(executables);
  rules.allow(EXECUTE | READ_FILE, programs);
  const own = terminal === null ? [] : [terminal];
  rules.allow(write, [...WRITABLE_DEVICES, ...own]);
  rules.allow(write | READ_FILE | READ_DIRECTORY, confine.write);
  if (confine.read !== "any") {
    const listed = confine.read ?? (decision.under.length > 0 ? [] : null);
    const named = [...(listed ?? []), ...decision.under, ...(directory === undefined ? [] : [directory])];
    rules.allow(READ_DIRECTORY, ["/"]);
    rules.allowReal(READ_FILE, readable.paths(listed === null ? "all" : "system"));
    rules.allow(READ_FILE, [...READABLE_DEVICES, ...own, ...named]);
  }
  const read = confine.read === "any" ? 0n : READ_FILE | READ_DIRECTORY;
  return { layers: [rules.layer(EXECUTE | write | read, abi)], noNewPrivileges: true, confined: "landlock" };
}

/** How the shim confines a program that moves files: to itself, what starts it, and the directories of the grant. */
export function confineFiles(options: {
  program: string;
  /** A program that starts it (prlimit(1)). */
  starter?: string;
  grant: FileGrant;
  home: string;
  abi: number;
}): Confinement {
  const { program, starter, grant, home, abi } = options;
  if (abi === 0) return { layers: [], noNewPrivileges: true };
  const write = writeRights(abi);
  const rules = new Rules();
  const programs = starter === undefined ? [program] : [program, starter];
  rules.allow(EXECUTE | READ_FILE, programs.flatMap(executables));
  rules.allowReal(READ_FILE, readable.paths("loading"));
  rules.allow(READ_FILE, READABLE_DEVICES);
  rules.allow(write, ["/dev/null"]);
  for (const { path, access } of grant.directories) {
    const reads = access === "write" ? 0n : READ_FILE;
    const writes = access === "read" ? 0n : write & ~SPECIAL_FILES;
    // As it was judged: a link that has come in its place since gives nothing.
    rules.allowReal(READ_DIRECTORY | reads | writes, [path.replace(/^~/, home)]);
  }
  const handled = EXECUTE | write | READ_FILE | READ_DIRECTORY;
  return { layers: [rules.layer(handled, abi)], noNewPrivileges: true };
}

/** The rules of one layer: what is said of a path again adds to what was said before. */
class Rules {
  readonly #allowed = new Map<string, bigint>();

  /** Paths are taken where symbolic links lead now; the shim follows none. What is not there gives nothing. */
  allow(rights: bigint, paths: readonly string[]): void {
    this.allowReal(
      rights,
      paths.map(realPath).filter((real) => real !== null),
    );
  }

  /** Paths that are known to have no symbolic links in them. */
  allowReal(rights: bigint, paths: readonly string[]): void {
    for (const path of paths) this.#allowed.set(path, (this.#allowed.get(path) ?? 0n) | rights);
  }

  layer(handledFs: bigint, abi: number): LandlockLayer {
    const rules = [...this.#allowed].map(([path, allowed]) => ({ path, allowed: allowed & handledFs }));
    return { handledFs, handledNet: NETWORK, scoped: scopes(abi), rules };
  }
}
