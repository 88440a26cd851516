import { randomBytes } from "node:crypto";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import type { Environment } from "@sallyport/control-plane/environment.ts";
import { freshDatabase, onPostgres } from "../../../fixtures/postgres.ts";

/** A database of its own, in memory or at a PostgreSQL server; a clock that stands still until it is moved, and no log. */
export interface World {
  db: Database;
  environment: Environment;
  /** Seconds since the epoch. */
  time: { now: number };
}

export async function makeWorld(): Promise<World> {
  const time = { now: 1_800_000_000 };
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const environment: Environment = {
    clock: () => time.now * 1000,
    random: (length) => randomBytes(length),
    log,
  };
  return { db: await emptyDatabase(), environment, time };
}

/** A database that is gone once it is closed. */
async function emptyDatabase(): Promise<Database> {
  if (!onPostgres) return openDatabase(":memory:");
  const { url, drop } = await freshDatabase();
  const db = await openDatabase(url);
  const destroy = db.destroy.bind(db);
  db.destroy = async () => {
    await destroy();
    await drop();
  };
  return db;
}

/** A policy file with one member and one engagement; `extra` goes into the engagement. */
export function policyText(extra = ""): string {
  return `version: 1
members:
  - { name: Dana Doe, email: Dana@vendor.test, vendor: vendor }
engagements:
  - name: web-work
    vendor: vendor
    members: [dana@vendor.test]
    hosts: { names: [web-1] }
    accounts: [deploy]
    start: 2026-01-01T09:00:00+01:00
    end: 2090-01-01
    contact: sec@acme.test
${extra}`;
}
