import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { DENY_ALL, type LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { type FSWatcher, watch } from "chokidar";
import { listLocalPolicies, readLocalPolicy } from "./local-policy-file.ts";

/** Editors write a file in several steps; so long after the last of them it is read, in milliseconds. */
const SETTLED_MS = 150;
/** A change that was not announced (the directory was moved away and another put there) is seen after this. */
const LOOK_MS = 60_000;

export interface LocalPolicyContext {
  /** `/etc/sallyport/policy.d`. */
  directory: string;
  /** Holds a copy of each file as it was when it was last right; root's. */
  lastGood: string;
  /** Another policy holds now: live sessions are to be judged again. `change` says what has changed, for people. */
  onChanged(change: string): void;
  /** A file is wrong; said once for each mistake. */
  onBroken(message: string): void;
  /** It is right again, or gone. */
  onMended(name: string): void;
}

/**
 * The policies of this host's own administrator. Each file stands for itself: one with a mistake keeps what it said when
 * it was last right, also across restarts. One that was never right lets no contractor in until it is mended; sessions
 * that run go on.
 */
export class LocalPolicyFiles {
  readonly #context: LocalPolicyContext;
  /** By name: what holds of a file; null where it was never right. */
  #policies = new Map<string, LocalPolicy | null>();
  #errors = new Map<string, string>();
  #watcher: FSWatcher | undefined;
  #settle: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: LocalPolicyContext) {
    this.#context = context;
    mkdirSync(context.lastGood, { recursive: true, mode: 0o700 });
    const { policies, errors } = this.#read();
    this.#policies = policies;
    this.#errors = errors;
    for (const message of errors.values()) context.onBroken(message);
  }

  /** What new logins are judged by. */
  get forLogins(): LocalPolicy[] {
    const closed = [...this.#policies.values()].includes(null) || this.#errors.has(this.#context.directory);
    return closed ? [...this.forSessions, DENY_ALL] : this.forSessions;
  }

  /** What sessions that run are judged by: a slip of an editor ends none. */
  get forSessions(): LocalPolicy[] {
    return [...this.#policies.values()].filter((policy) => policy !== null);
  }

  /** For `status` and `doctor`. */
  state(): { files: string[]; errors: string[] } {
    return { files: [...this.#policies.keys()], errors: [...this.#errors.values()] };
  }

  start(): void {
    const { directory } = this.#context;
    const parent = dirname(directory);
    // Its parent is watched, because the directory may come later, or go and come back.
    this.#watcher = watch(parent, {
      ignoreInitial: true,
      depth: 1,
      ignored: (path) => path !== parent && path !== directory && !path.startsWith(`${directory}/`),
    });
    this.#watcher.on("all", () => this.#soon());
    this.#watcher.on("ready", () => this.#soon());
    this.#watcher.on("error", (error) =>
      this.#context.onBroken(`local policies are not watched: ${String(error)}`),
    );
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#settle);
    void this.#watcher?.close();
  }

  /** Reads everything anew, and says what has changed. */
  look(): void {
    const before = { policies: this.#policies, errors: this.#errors, logins: this.forLogins };
    const { policies, errors } = this.#read();
    this.#policies = policies;
    this.#errors = errors;
    for (const [name, message] of errors)
      if (before.errors.get(name) !== message) this.#context.onBroken(message);
    for (const name of before.errors.keys()) if (!errors.has(name)) this.#context.onMended(name);
    if (isDeepStrictEqual(before.logins, this.forLogins)) return;
    this.#context.onChanged(difference(before.policies, policies) || "what is wrong with them has changed");
  }

  #soon(): void {
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.look(), SETTLED_MS);
  }

  #read(): { policies: Map<string, LocalPolicy | null>; errors: Map<string, string> } {
    const policies = new Map<string, LocalPolicy | null>();
    const errors = new Map<string, string>();
    let names: string[];
    try {
      names = listLocalPolicies(this.#context.directory);
    } catch (error) {
      // Whose the files are is not certain: what held goes on, and nobody comes in.
      errors.set(
        this.#context.directory,
        `${messageOf(error)} No contractor is admitted until it is mended.`,
      );
      const known = this.#policies.size > 0 ? this.#policies : this.#lastGoodOnes();
      return { policies: new Map(known), errors };
    }
    for (const name of names) {
      const read = this.#readOne(name);
      if (read === null) continue;
      policies.set(name, read.policy);
      if (read.error !== null) errors.set(name, read.error);
    }
    // What an administrator takes away is gone: it does not come back with the next mistake in a file of that name.
    for (const name of readdirSync(this.#context.lastGood))
      if (!policies.has(name)) rmSync(join(this.#context.lastGood, name), { force: true });
    return { policies, errors };
  }

  /** Null for a file that has gone meanwhile. */
  #readOne(name: string): { policy: LocalPolicy | null; error: string | null } | null {
    const path = join(this.#context.directory, name);
    const copy = join(this.#context.lastGood, name);
    let policy: LocalPolicy | null;
    try {
      policy = readLocalPolicy(path);
    } catch (error) {
      if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return null;
      policy = this.#policies.get(name) ?? lastGood(copy);
      const effect =
        policy === null
          ? "It was never right, so no contractor is admitted until it is mended or removed."
          : "What it said before still holds.";
      return { policy, error: `${messageOf(error)} ${effect}` };
    }
    this.#keep(copy, policy);
    return { policy, error: null };
  }

  /** As JSON, which is YAML too: what was judged, not what the file may be by now. */
  #keep(copy: string, policy: LocalPolicy): void {
    try {
      if (!isDeepStrictEqual(policy, lastGood(copy))) writeFileDurably(copy, JSON.stringify(policy));
    } catch (error) {
      this.#context.onBroken(`${copy} cannot be written: ${messageOf(error)}`);
    }
  }

  #lastGoodOnes(): Map<string, LocalPolicy | null> {
    const { lastGood: directory } = this.#context;
    return new Map(readdirSync(directory).map((name) => [name, lastGood(join(directory, name))]));
  }
}

function lastGood(copy: string): LocalPolicy | null {
  if (!existsSync(copy)) return null;
  try {
    return readLocalPolicy(copy);
  } catch {
    return null; // cut off by a crash
  }
}

/** Which files came, went or changed. */
function difference(
  before: ReadonlyMap<string, LocalPolicy | null>,
  after: ReadonlyMap<string, LocalPolicy | null>,
): string {
  const added = [...after.keys()].filter((name) => !before.has(name));
  const gone = [...before.keys()].filter((name) => !after.has(name));
  const changed = [...after.keys()].filter(
    (name) => before.has(name) && !isDeepStrictEqual(before.get(name), after.get(name)),
  );
  const parts: [string, string[]][] = [
    ["new", added],
    ["changed", changed],
    ["gone, and narrows nothing any more", gone],
  ];
  return parts
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what}: ${names.slice(0, 20).join(", ")}`)
    .join("; ");
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.endsWith(".") ? message : `${message}.`;
}
