import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { onPostgres, type PostgresServer, startPostgres } from "../../../fixtures/postgres.ts";
import { printed } from "../../../fixtures/processes.ts";
import { startIdentityProvider, type TestIdentityProvider } from "./identity-provider.ts";

const MAIN = resolve(import.meta.dirname, "../../../../control-plane/src/main.ts");

/** The program in a process of its own, with a database of its own: both can be killed, and come back on the same data. */
export class KillablePlane {
  readonly url: string;
  readonly idp: TestIdentityProvider;
  /** The data directory. */
  readonly directory: string;
  /** Undefined where the suite runs on SQLite, whose database dies with the program. */
  readonly postgres: PostgresServer | undefined;
  /** How the program ended when nobody had killed it, with the last that it printed. */
  readonly endedAlone: string[] = [];
  /** A module that the program has loaded before its own. */
  preload: string | undefined;
  readonly #root: string;
  #child: ChildProcess | undefined;
  #isClosed = false;
  #lastLines: string[] = [];

  private constructor(
    root: string,
    parts: { url: string; idp: TestIdentityProvider; postgres: PostgresServer | undefined },
  ) {
    this.#root = root;
    this.directory = join(root, "data");
    this.url = parts.url;
    this.idp = parts.idp;
    this.postgres = parts.postgres;
  }

  /** Everything but the program, which is to be started. `config`: more keys of the configuration file, `issuer`: of its issuer. */
  static async prepare(policy: string, config: object = {}, issuer: object = {}): Promise<KillablePlane> {
    const root = mkdtempSync(join(tmpdir(), "sallyport-killed-"));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const [idp, postgres] = [await startIdentityProvider(), onPostgres ? await startPostgres() : undefined];
    const plane = new KillablePlane(root, { url, idp, postgres });
    mkdirSync(plane.directory, { mode: 0o700 });
    const policyFile = join(root, "policy.yaml");
    writeFileSync(policyFile, policy);
    const unlimited = { perSecond: 100_000, burst: 100_000 };
    const text = JSON.stringify({
      ...{ version: 1, listen: { address: "127.0.0.1", port }, url, dataDirectory: plane.directory },
      issuers: [
        {
          ...{ name: "IdP", issuer: idp.issuer, clientId: "sallyport-cli", mfa: { amr: { mfa: "mfa" } } },
          check: { required: false },
          ...issuer,
        },
      ],
      policyFile,
      rateLimit: { ...unlimited, caller: unlimited, failures: unlimited },
      ...config,
    });
    writeFileSync(plane.#configFile, text);
    return plane;
  }

  get #configFile(): string {
    return join(this.#root, "control-plane.yaml");
  }

  get #databaseUrl(): string | undefined {
    return this.postgres?.url("postgres");
  }

  /** It does not come back: whoever asks it again would do so for ever. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Arguments of Node for a command of the program. */
  command(name: string, ...options: string[]): string[] {
    return [MAIN, name, "--config", this.#configFile, ...options];
  }

  /** The environment that the program runs in. */
  get options(): { env: NodeJS.ProcessEnv } {
    const { PATH, TMPDIR } = process.env;
    const DATABASE_URL = this.#databaseUrl;
    return {
      env: { PATH, ...(TMPDIR && { TMPDIR }), ...(DATABASE_URL && { DATABASE_URL }) } as NodeJS.ProcessEnv,
    };
  }

  /** Starts the program, which may be killed before it listens. */
  spawn(): ChildProcess {
    const before = this.preload === undefined ? [] : ["--import", this.preload];
    const child = spawn(process.execPath, [...before, ...this.command("serve")], {
      ...this.options,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    const lines: string[] = [];
    this.#lastLines = lines;
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (lines.length > 50) lines.shift();
      });
    child.once("exit", (code, signal) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.endedAlone.push(`${code ?? signal}: ${lines.slice(-5).join("\n")}`);
    });
    return child;
  }

  /** Starts the program; resolves when it listens. */
  async start(): Promise<void> {
    await printed(this.spawn(), /"msg":"listening"/);
  }

  /** kill -9 of the program; nothing where it does not run. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  /** Of the program; undefined where it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What the program printed last, for messages of tests. */
  get lastLines(): string {
    return this.#lastLines.join("\n");
  }

  /** A connection of the test's own. */
  database(): Promise<Database> {
    return openDatabase(this.#databaseUrl ?? join(this.directory, "sallyport.db"));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.kill("SIGTERM");
    await this.idp.close();
    await this.postgres?.close();
    rmSync(this.#root, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
