import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { printed } from "../../test/fixtures/processes.ts";
import {
  startIdentityProvider,
  type TestIdentityProvider,
} from "../../test/integration/control-plane/support/identity-provider.ts";
import { privateMemory, processorTime } from "../processes.ts";

const MAIN = resolve(import.meta.dirname, "../../control-plane/src/main.ts");
export const CLIENT_ID = "sallyport-cli";

/** A control plane as it runs in production, in a process of its own, on loopback. */
export interface BenchServer {
  url: string;
  idp: TestIdentityProvider;
  /** A connection of our own to its database. */
  database(): Promise<Database>;
  /** Memory in MB that nobody shares. */
  memory(): number;
  /** Milliseconds that it has spent on processors. */
  processorTime(): number;
  /** Kills it at once and starts it again; resolves when it listens. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts one with an IdP, which may speak SCIM; on PostgreSQL where a URL is given. `members` are people of the vendor `vendor`. */
export async function startServer(
  options: { databaseUrl?: string; policy?: string; scimToken?: string } = {},
): Promise<BenchServer> {
  const directory = mkdtempSync(join(tmpdir(), "control-plane-"));
  const data = join(directory, "data");
  mkdirSync(data, { mode: 0o700 });
  const idp = await startIdentityProvider();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const policyFile = join(directory, "policy.yaml");
  writeFileSync(policyFile, options.policy ?? "version: 1\n");
  const config = join(directory, "control-plane.yaml");
  const tokenFile = join(directory, "scim-token");
  if (options.scimToken !== undefined) writeFileSync(tokenFile, options.scimToken, { mode: 0o600 });
  const scim = options.scimToken === undefined ? {} : { scim: { tokenFile } };
  writeFileSync(
    config,
    JSON.stringify({
      version: 1,
      listen: { address: "127.0.0.1", port },
      url,
      dataDirectory: data,
      issuers: [
        {
          ...{ name: "IdP", issuer: idp.issuer, clientId: CLIENT_ID, mfa: { amr: { mfa: "mfa" } } },
          ...{ check: { required: false }, ...scim },
        },
      ],
      staff: [{ email: "admin@bench.test", role: "admin" }],
      policyFile,
      // Everything comes from one address here.
      rateLimit: { perSecond: 100_000, burst: 100_000 },
    }),
  );
  let child: ChildProcess;
  const start = async () => {
    const env = { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, DATABASE_URL: options.databaseUrl };
    child = spawn(process.execPath, [MAIN, "serve", "--config", config], {
      env: Object.fromEntries(
        Object.entries(env).filter(([, value]) => value !== undefined),
      ) as NodeJS.ProcessEnv,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await printed(child, /"msg":"listening"/);
    child.stdout?.resume();
  };
  const end = async (signal: NodeJS.Signals) => {
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  };
  await start();
  return {
    url,
    idp,
    database: () => openDatabase(options.databaseUrl ?? join(data, "sallyport.db")),
    memory: () => privateMemory(child.pid ?? 0),
    processorTime: () => processorTime(child.pid ?? 0),
    restart: async () => {
      await end("SIGKILL");
      await start();
    },
    close: async () => {
      await end("SIGTERM");
      await idp.close();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
