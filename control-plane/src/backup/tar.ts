import { spawn } from "node:child_process";
import { once } from "node:events";
import { SallyportError } from "@sallyport/core/errors.ts";

/*
 * GNU tar, which every Debian has: https://www.gnu.org/software/tar/manual/. It gets an argument vector, never a shell, and nothing of
 * this program's environment.
 */

const TAR = "/usr/bin/tar";
const ENVIRONMENT = { PATH: "/usr/bin:/bin", LC_ALL: "C" };
const MAX_SAID = 2000;
/** "Some files differ": when archiving, one that changed meanwhile (manual, "Synopsis"). */
const CHANGED = 1;

/**
 * Writes names in directories to the open file `output`, in that order. A file that grows meanwhile is in it with at least the bytes that
 * it had before.
 */
export async function archive(
  sources: readonly { directory: string; names: readonly string[] }[],
  output: number,
): Promise<void> {
  const args = ["--create", "--file=-", "--format=posix", "--owner=0", "--group=0", "--numeric-owner"];
  const names = sources.flatMap(({ directory, names }) => [`--directory=${directory}`, ...names]);
  const { status, said } = await run([...args, "--hard-dereference", ...names], output);
  if (status !== 0 && status !== CHANGED) throw failed("the backup cannot be written", said);
}

/** Unpacks an archive into a directory, without its owners. Code `message-malformed` when it is damaged or none. */
export async function unpack(file: string, directory: string): Promise<void> {
  const args = ["--extract", `--file=${file}`, `--directory=${directory}`, "--no-same-owner"];
  const { status, said } = await run([...args, "--no-same-permissions", "--force-local"]);
  if (status !== 0) throw failed(`${file} cannot be unpacked: it is damaged, or the disk is full`, said);
}

/** The text of the first file of this name in an archive; undefined where there is none. */
export async function textIn(file: string, name: string): Promise<string | undefined> {
  const args = ["--extract", `--file=${file}`, "--to-stdout", "--occurrence=1", "--force-local", name];
  const { status, out } = await run(args);
  return status === 0 ? out : undefined;
}

async function run(
  args: readonly string[],
  output: number | "pipe" = "pipe",
): Promise<{ status: number | null; out: string; said: string }> {
  const child = spawn(TAR, args, { env: ENVIRONMENT, stdio: ["ignore", output, "pipe"] });
  let said = "";
  let out = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    if (said.length < MAX_SAID) said += text;
  });
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    if (out.length < 1024 * 1024) out += text;
  });
  try {
    const [status] = (await once(child, "close")) as [number | null];
    return { status, out, said };
  } catch (cause) {
    throw new SallyportError("internal", `${TAR} does not run: install the package tar.`, { cause });
  }
}

function failed(what: string, said: string): SallyportError {
  const why = said.split("\n")[0]?.replace(/^\S*tar: /, "") ?? "";
  return new SallyportError("message-malformed", `${what} (${why.slice(0, 300)}).`);
}
