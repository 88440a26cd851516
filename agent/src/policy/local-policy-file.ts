import { readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { readYaml } from "../configuration/agent-config.ts";

const MAX_SIZE = 1024 * 1024;
const MAX_FILES = 1000;
const WRITABLE_BY_OTHERS = 0o022;
const ROOT = 0;

/** The names of the policy files in a directory, in their order; none where it does not exist. Code `config-invalid`. */
export function listLocalPolicies(directory: string): string[] {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  mustBeRoots(directory, stat);
  const names = readdirSync(directory)
    .filter((name) => name.endsWith(".yaml") && !name.startsWith("."))
    .sort();
  if (names.length > MAX_FILES)
    throw new SallyportError("config-invalid", `${directory}: more than ${MAX_FILES} files.`);
  return names;
}

/**
 * Reads one policy file, behind a symbolic link too. Code `config-invalid` with file, line and column where there is a
 * mistake, or where somebody but root could have written it.
 */
export function readLocalPolicy(path: string): LocalPolicy {
  const target = resolve(path);
  const stat = statSync(target);
  if (!stat.isFile()) throw new SallyportError("config-invalid", `${path}: it is no regular file.`);
  mustBeRoots(path, stat);
  // Whoever may write the directory may put another file of root's there.
  if (dirname(target) !== dirname(path)) mustBeRoots(dirname(target), statSync(dirname(target)));
  if (stat.size > MAX_SIZE) throw new SallyportError("config-invalid", `${path}: it is larger than 1 MiB.`);
  return readYaml(path, LocalPolicy);
}

/** What `sallyport-agent policy check` finds: null for a file that is right, else what is wrong with it. */
export function checkLocalPolicies(files: readonly string[]): { file: string; error: string | null }[] {
  return files.map((file) => ({ file, error: messageOf(() => readLocalPolicy(file)) }));
}

/** The files that `sallyport-agent policy check` looks at where it is told none. */
export function allLocalPolicies(directory: string): string[] {
  return listLocalPolicies(directory).map((name) => join(directory, name));
}

function messageOf(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function resolve(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new SallyportError("config-invalid", `${path}: it cannot be read, or leads nowhere.`, { cause });
  }
}

function mustBeRoots(path: string, { uid, mode }: Stats): void {
  if (uid !== ROOT)
    throw new SallyportError("config-invalid", `${path}: it is not root's. Run: chown root: ${path}`);
  if ((mode & WRITABLE_BY_OTHERS) !== 0)
    throw new SallyportError("config-invalid", `${path}: others may write it. Run: chmod go-w ${path}`);
}
