import { existsSync, type FSWatcher, mkdirSync, readdirSync, readFileSync, rmSync, watch } from "node:fs";
import { join } from "node:path";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { CRONTABS } from "../accounts/left-files.ts";
import { AccountNote, takeNote } from "./account-note.ts";

/**
 * Notes on the shared accounts that contractors are logged in to, on disk: like the jobs they tell of, they survive a
 * restart and a reboot. Root's own files in root's own directory.
 */
export class AccountNotes {
  readonly #directory: string;
  readonly #watchers: FSWatcher[] = [];

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** The accounts that there are notes on. */
  get accounts(): string[] {
    return readdirSync(this.#directory).filter((name) => this.read(name) !== null);
  }

  read(account: string): AccountNote | null {
    try {
      return AccountNote.parse(JSON.parse(readFileSync(this.#pathOf(account), "utf8")));
    } catch {
      return null; // none, or it was cut off by a crash
    }
  }

  /** Notes what an account has now, unless there is a note already; from here on its crontab is watched. */
  take(account: string, uid: number): void {
    this.watch();
    if (this.read(account) === null) this.#write(takeNote(account, uid));
  }

  remove(account: string): void {
    rmSync(this.#pathOf(account), { force: true });
    if (this.accounts.length === 0) this.close();
  }

  /** Watches for a crontab that is changed and changed back while nobody compares. */
  watch(): void {
    if (this.#watchers.length > 0) return;
    for (const directory of CRONTABS.filter((path) => existsSync(path))) {
      const watcher = watch(directory, { persistent: false }, (_, name) => this.#changed(name));
      watcher.on("error", () => watcher.close());
      this.#watchers.push(watcher);
    }
  }

  close(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
  }

  #changed(name: string | null): void {
    const note = name === null ? null : this.read(name);
    if (note !== null && !note.cronUsed) this.#write({ ...note, cronUsed: true });
  }

  #write(note: AccountNote): void {
    writeFileDurably(this.#pathOf(note.account), JSON.stringify(note));
  }

  /** Names of accounts have no slash: passwd(5) has them, and sshd knows a user by them. */
  #pathOf(account: string): string {
    return join(this.#directory, account);
  }
}
