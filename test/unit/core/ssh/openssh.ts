import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatOpenSshPrivateKey } from "@sallyport/core/ssh/private-key.ts";
import { formatPublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { everyKey, type KeyPair } from "./keys.ts";

/** The real OpenSSH tools, working in a directory of their own. Times are in UTC. */
export class OpenSsh {
  #directory: string | undefined;

  /** Path of a file in the directory, which is made on first use, so that only tests that run make one. */
  path(name: string): string {
    this.#directory ??= mkdtempSync(join(tmpdir(), "sallyport-ssh-"));
    return join(this.#directory, name);
  }

  /** Starts a program that stays; whoever starts it kills it. */
  start(program: string, args: string[]): ChildProcess {
    return spawn(program, args, { stdio: "ignore" });
  }

  run(program: string, args: string[], env: Record<string, string> = {}): string {
    return execFileSync(program, args, {
      cwd: this.path(""),
      env: { PATH: process.env.PATH, TZ: "UTC", ...env },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  keygen(...args: string[]): string {
    return this.run("ssh-keygen", args);
  }

  write(name: string, text: string): string {
    writeFileSync(this.path(name), text, { mode: 0o600 });
    return this.path(name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  /** Writes a key pair as `name` and `name.pub`. */
  writePair({ type, privateKey, publicKey }: KeyPair, name: string): void {
    const pem = () => privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    this.write(name, type === "ssh-ed25519" ? formatOpenSshPrivateKey(privateKey, name, 7) : pem());
    this.write(`${name}.pub`, `${formatPublicKeyLine(publicKey, name)}\n`);
  }

  /** Writes every test key under the name of its type. */
  writeEveryKey(): void {
    for (const pair of everyKey) this.writePair(pair, pair.type);
  }

  remove(): void {
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }
}
