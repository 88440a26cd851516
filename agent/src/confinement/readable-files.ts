import { closeSync, type Dirent, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/*
 * What a confined program may read: everything but programs. The dynamic loader executes any ELF file that it can read
 * (`ld.so /bin/sh`), and every program needs the loader; so directories of programs are left out. Landlock only adds
 * rights, so a directory with programs somewhere in it is given as the list of all else in it.
 */

const ROOTS = ["", "/usr", "/usr/local"];
/** Directories of programs, and of whole other systems with theirs. Devices are given one by one. */
const LEFT_OUT: readonly string[] = [
  ...ROOTS.flatMap((root) => ["bin", "sbin", "libexec", "games"].map((name) => `${root}/${name}`)),
  ...["/snap", "/nix", "/gnu", "/dev"],
  ...["snapd", "flatpak", "docker", "containers", "machines", "lxc"].map((name) => `/var/lib/${name}`),
];
/** Looked through for programs: libraries, and what is put on a host beside its packages. */
const SCANNED: readonly string[] = [
  ...ROOTS.flatMap((root) => ["lib", "lib32", "lib64", "libx32"].map((name) => `${root}/${name}`)),
  "/opt",
];
const PROGRAM_DIRECTORY = /^(s?bin|libexec)$/;
/** Names of files that are never programs, so that these need not be looked into. */
const NO_PROGRAM = /\.so(\.[0-9.]*)?$|\.(a|gz|h|html|js|json|mo|o|pm|png|py|pyc|svg|ts|txt|xml)$/;
/** Beyond these, what is there is not given. */
const MAX_DEPTH = 12;
const MAX_ENTRIES = 200_000;
const MAX_PATHS = 6000;

/** How long it is believed what was found, in milliseconds; a change of the directories at the top is seen at once. */
const BELIEVED_MS = 10 * 60_000;

/** The system's own files, for programs that may read only these and what their rule names. */
const SYSTEM = ["/etc", "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sys"];
const RESOLVER = ["/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"];
/** What a program needs to be loaded and to know names and times, and nothing else. */
const LOADED = ["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"];
const NAMES = ["passwd", "group", "nsswitch.conf", "ld.so.cache", "localtime", "timezone"];

/** Who looks on while others wait: a piece of this many milliseconds, and a pause. */
const PIECE_MS = 4;
const PAUSE_MS = 10;

type Which = "all" | "system" | "loading";

interface Found {
  at: number;
  paths: string[];
  /** Of the directories at the top, when they were changed. */
  changed: Map<string, number>;
}

/** Finds what may be read, and remembers it: a scan reads every directory of libraries. */
export class ReadableFiles {
  readonly #now: () => number;
  readonly #found = new Map<Which, Found>();
  readonly #looking = new Map<Which, Promise<void>>();

  /** `now` is a clock in milliseconds that only goes forward. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * `all`: everything but programs; `system`: of that, the system's own; `loading`: of that, what loading takes. The first
   * time it takes a second or two, unless {@link prepare} was called before; what is out of date is looked for again beside
   * other work, and meanwhile what was found before counts.
   */
  paths(which: Which): string[] {
    const known = this.#found.get(which);
    if (known !== undefined) {
      if (this.#now() - known.at >= BELIEVED_MS || !unchanged(known.changed))
        this.prepare(which).catch(() => {}); // what was found before goes on to count
      return known.paths;
    }
    const search = new Search();
    const steps = search.of(which);
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    return this.#keep(which, search, step.value);
  }

  /** Looks a few milliseconds at a time, so that sessions are not held up. */
  async prepare(which: Which): Promise<void> {
    const looking = this.#looking.get(which) ?? this.#look(which).finally(() => this.#looking.delete(which));
    this.#looking.set(which, looking);
    await looking;
  }

  async #look(which: Which): Promise<void> {
    const search = new Search();
    const steps = search.of(which);
    for (;;) {
      const until = performance.now() + PIECE_MS;
      let step = steps.next();
      while (step.done !== true && performance.now() < until) step = steps.next();
      if (step.done === true) {
        this.#keep(which, search, step.value);
        return;
      }
      await setTimeout(PAUSE_MS, undefined, { ref: false });
    }
  }

  #keep(which: Which, { changed }: Search, found: string[]): string[] {
    const paths = found.slice(0, MAX_PATHS);
    this.#found.set(which, { at: this.#now(), paths, changed });
    return paths;
  }
}

/** Gives the turn back after every directory, by `yield`. */
class Search {
  readonly changed = new Map<string, number>();
  #entries = 0;

  *of(which: Which): Generator<void, string[]> {
    const roots = { all: ["/"], system: [...SYSTEM, ...RESOLVER], loading: LOADED }[which];
    const paths: string[] = [];
    for (const root of roots) paths.push(...(yield* this.readable(root)));
    if (which === "loading") paths.push(...NAMES.map((name) => `/etc/${name}`), "/usr/share/zoneinfo");
    return paths;
  }

  /** A path as it may be given, in parts where something in it may not be. Symbolic links give nothing: their targets do. */
  *readable(path: string): Generator<void, string[]> {
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status === undefined || status.isSymbolicLink() || LEFT_OUT.includes(path)) return [];
    if (SCANNED.includes(path)) {
      this.changed.set(path, status.mtimeMs);
      return (yield* this.#scan(path, 0)) ?? [path];
    }
    const prefix = path === "/" ? "/" : `${path}/`;
    const split = [...LEFT_OUT, ...SCANNED].some((one) => one.startsWith(prefix) && exists(one));
    if (!split) return [path];
    this.changed.set(path, status.mtimeMs);
    const parts: string[] = [];
    for (const { name } of entriesOf(path)) parts.push(...(yield* this.readable(join(path, name))));
    return parts;
  }

  /** The parts of a directory without programs; null when there are none in it, and it can be given whole. */
  *#scan(directory: string, depth: number): Generator<void, string[] | null> {
    yield;
    const entries = entriesOf(directory);
    this.#entries += entries.length;
    if (depth > MAX_DEPTH || this.#entries > MAX_ENTRIES) return [];
    const parts: string[] = [];
    let whole = true;
    for (const entry of entries) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        const inside = PROGRAM_DIRECTORY.test(entry.name) ? [] : yield* this.#scan(path, depth + 1);
        if (inside !== null) whole = false;
        parts.push(...(inside ?? [path]));
      } else if (entry.isFile()) {
        if (isProgram(path, entry.name)) whole = false;
        else parts.push(path);
      }
    }
    return whole ? null : parts;
  }
}

/** An ELF file that somebody may execute and that is no library by its name. What cannot be looked at counts as one. */
function isProgram(path: string, name: string): boolean {
  if (NO_PROGRAM.test(name)) return false;
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined || (status.mode & 0o111) === 0) return false;
  try {
    const descriptor = openSync(path, "r");
    const magic = Buffer.alloc(4);
    readSync(descriptor, magic, 0, 4, 0);
    closeSync(descriptor);
    return magic.toString("latin1") === "\x7fELF";
  } catch {
    return true;
  }
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function unchanged(changed: Map<string, number>): boolean {
  return [...changed].every(([path, time]) => lstatSync(path, { throwIfNoEntry: false })?.mtimeMs === time);
}
