import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { syncDirectory, writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { mustRunTool, runTool } from "./system-tools.ts";

const PREFIX = "sallyport-";

/** The files of ours in /etc/sudoers.d. */
export class SudoersFiles {
  readonly #directory: string;

  constructor(directory = "/etc/sudoers.d") {
    this.#directory = directory;
  }

  /**
   * Makes the account's file say this; an empty text removes it. It is checked by visudo(8) before sudo sees it, and
   * with all other rules after. Code `config-missing` without sudo, `config-invalid` when visudo refuses.
   */
  async set(account: string, text: string): Promise<void> {
    const path = join(this.#directory, PREFIX + account);
    if (text === "") return this.#remove(path);
    if (existsSync(path) && readFileSync(path, "utf8") === text) return;
    if (!existsSync(this.#directory)) {
      throw new SallyportError(
        "config-missing",
        "sudo is not installed here: no rules were made. Install sudo.",
      );
    }
    // sudo ignores names with a dot, so this one is not in force yet, and the rename is within one directory.
    const candidate = `${path}.unchecked`;
    try {
      writeFileDurably(candidate, text, 0o440);
      chmodSync(candidate, 0o440);
      await this.#check(["-c", "-f", candidate], account);
      renameSync(candidate, path);
      syncDirectory(this.#directory);
    } finally {
      rmSync(candidate, { force: true });
    }
    await this.#check(["-c"], account).catch((error: unknown) => {
      this.#remove(path);
      throw error;
    });
  }

  /** Removes every file of ours that belongs to none of these accounts. */
  keepOnly(accounts: ReadonlySet<string>): string[] {
    if (!existsSync(this.#directory)) return [];
    const left = readdirSync(this.#directory).filter(
      (name) => name.startsWith(PREFIX) && !accounts.has(name.slice(PREFIX.length)),
    );
    for (const name of left) this.#remove(join(this.#directory, name));
    return left.map((name) => name.slice(PREFIX.length));
  }

  #remove(path: string): void {
    if (!existsSync(path)) return;
    rmSync(path);
    syncDirectory(this.#directory);
  }

  async #check(args: string[], account: string): Promise<void> {
    const { status } = await runTool("visudo", ["-V"]);
    if (status === null)
      throw new SallyportError(
        "config-missing",
        "visudo is not installed here: no rules were made. Install sudo.",
      );
    await mustRunTool("visudo", args).catch((cause: unknown) => {
      throw new SallyportError(
        "config-invalid",
        `visudo refuses the sudo rules of ${account}, so there are none: ${cause instanceof Error ? cause.message : cause}. Run: visudo -c`,
        { cause },
      );
    });
  }
}

/**
 * Who else than root could change what this program is, or null: a rule for such a program would be a rule for
 * everything. A program that is not there yet is judged by the directories that are.
 */
export function writableBy(program: string): string | null {
  let path = program;
  while (!existsSync(path)) path = dirname(path);
  for (path = realpathSync(path); ; path = dirname(path)) {
    const { uid, mode } = statSync(path);
    if (uid !== 0) return `${path} is not root's`;
    if ((mode & 0o022) !== 0) return `${path} can be written by others than root`;
    if (path === "/") return null;
  }
}
