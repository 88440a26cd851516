import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import type { UnsafeAccount } from "@sallyport/core/policy/evaluate.ts";

/** An account as passwd(5) has it. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
  home: string;
  shell: string;
}

/**
 * Looks an account up in /etc/passwd. Read anew when the file has changed; sshd itself may know more accounts by NSS,
 * those cannot be guarded yet and are refused.
 */
export class Accounts {
  readonly #path: string;
  #stamp = "";
  #accounts = new Map<string, Account>();

  constructor(path = "/etc/passwd") {
    this.#path = path;
  }

  get(name: string): Account | undefined {
    const { mtimeMs, ino, size } = statSync(this.#path);
    const stamp = `${mtimeMs}:${ino}:${size}`;
    if (stamp !== this.#stamp) {
      const accounts = parsePasswd(readFileSync(this.#path, "utf8"));
      // Of two with one name the first counts, as it does for sshd (getpwnam(3)).
      this.#accounts = new Map(accounts.reverse().map((account) => [account.name, account]));
      this.#stamp = stamp;
    }
    return this.#accounts.get(name);
  }

  /**
   * Why this account cannot be used, or null. sshd runs a forced command through the login shell (`shell -c …`), so the
   * shell must not run files of the user first: bash does as sshd's child (`~/.bashrc`), zsh (`~/.zshenv`) and fish
   * (`config.fish`) always do. dash reads none with `-c`, and the shim is ours.
   */
  unsafe(name: string, shim: string): UnsafeAccount | null {
    const account = this.get(name);
    const never = (reason: string): UnsafeAccount => ({ reason, acceptable: false });
    if (account === undefined) return never(`account ${name} is not in ${this.#path}`);
    if (account.uid === 0) return never(`account ${name} is root`);
    if (account.shell === shim) return null;
    if (["sh", "dash"].includes(basename(account.shell)) && isDash(account.shell)) return null;
    const reason = `login shell ${account.shell} runs files that the user can write before the recorder starts`;
    return { reason, acceptable: true };
  }
}

function parsePasswd(text: string): Account[] {
  return text.split("\n").flatMap((line) => {
    const [name, , uid, gid, , home, shell] = line.split(":");
    if (!name || !uid || !gid || home === undefined) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home, shell: shell || "/bin/sh" }];
  });
}

function isDash(shell: string): boolean {
  try {
    const [a, b] = [statSync(shell), statSync("/usr/bin/dash")];
    return a.ino === b.ino && a.dev === b.dev;
  } catch {
    return false;
  }
}
