import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { FileDirectory, FileGrant, FileProtocol } from "@sallyport/core/files/file-grant.ts";

export type FileEvent = Extract<SessionEvent, { type: "file" }>;

/** A contractor's directory (`here`) and the host's (`home`), and the real scp and rsync between them. */
export class TransferUnderTest {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), "sallyport-transfer-")));
  readonly here = join(this.root, "here");
  readonly home = join(this.root, "home");
  readonly #settings = join(this.root, "settings.json");
  readonly #events = join(this.root, "events");
  readonly #ssh = join(this.root, "ssh");

  constructor() {
    for (const one of [this.here, this.home]) mkdirSync(one);
    const server = join(import.meta.dirname, "filtered-server.ts");
    writeFileSync(this.#ssh, `#!/bin/sh\nexec ${process.execPath} ${server} ${this.#settings} "$@"\n`, {
      mode: 0o755,
    });
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Writes a file, with the directories above it; returns the SHA-256 of its content. */
  file(path: string, content: string | Buffer): string {
    const whole = join(this.root, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, content);
    return sha256(content);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), "utf8");
  }

  /** What the engagement grants of the host's directory. */
  grant(protocol: FileProtocol, ...directories: (Partial<FileDirectory> & { path: string })[]): FileGrant[] {
    const grants: FileGrant[] = [
      {
        protocols: [protocol],
        directories: directories.map((one) => ({ access: "read-write", maxFileSize: null, ...one })),
      },
    ];
    writeFileSync(this.#settings, JSON.stringify({ grants, home: this.home, events: this.#events }));
    writeFileSync(this.#events, "");
    return grants;
  }

  scp(...args: string[]) {
    return this.#run("scp", ["-O", "-S", this.#ssh, ...args]);
  }

  rsync(...args: string[]) {
    return this.#run("rsync", ["-e", this.#ssh, ...args]);
  }

  /** The events so far. */
  get events(): FileEvent[] {
    return this.#lines.filter((line) => line.type === "file") as unknown as FileEvent[];
  }

  /** What was made of the commands so far. */
  get commands(): { line: string; argv?: string[]; detail?: string }[] {
    return this.#lines.filter((line) => "line" in line) as never;
  }

  get #lines(): Record<string, unknown>[] {
    return readFileSync(this.#events, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }

  #run(program: string, args: string[]) {
    const { status, stdout, stderr } = spawnSync(program, args, { cwd: this.here, encoding: "utf8" });
    return { status, said: stdout + stderr };
  }
}

export function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
