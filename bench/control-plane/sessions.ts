import { randomBytes } from "node:crypto";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { tokenHash } from "@sallyport/control-plane/issuance/api-token.ts";
import { makeId } from "@sallyport/core/names.ts";
import { startPostgres } from "../../test/fixtures/postgres.ts";
import { call } from "../../test/integration/control-plane/support/client.ts";
import { amount, type Figure } from "../figure.ts";
import { addFleet } from "./fleet.ts";
import { startServer } from "./server.ts";

const TARGET_MS = 100;
const HOSTS = 500;
const MEMBERS = 1000;
const AT_ONCE = 1000;
/** Lists asked for of each kind; the slowest counts. */
const RUNS = 20;

const LISTS: [name: string, query: string][] = [
  ["the newest", "?limit=100"],
  ["live ones", "?state=live&limit=100"],
  ["of one host", "?host=web-7&limit=100"],
  ["of one member", "?member=MEMBER&limit=100"],
  ["ended, of one member on one host", "?state=ended&member=MEMBER&host=web-7&limit=100"],
  ["of one host, a page far back", "?host=web-7&before=MIDDLE&limit=100"],
];

/** Lists of sessions, filtered out of a million, on both databases. */
export async function benchSessions(count = 1_000_000): Promise<Figure[]> {
  const figures = await onDatabase("SQLite", undefined, count);
  const postgres = await startPostgres();
  try {
    return [...figures, ...(await onDatabase("PostgreSQL", postgres.url("postgres"), count))];
  } finally {
    await postgres.close();
  }
}

async function onDatabase(name: string, databaseUrl: string | undefined, count: number): Promise<Figure[]> {
  const server = await startServer(databaseUrl === undefined ? {} : { databaseUrl });
  try {
    const db = await server.database();
    const { member, middle } = await fill(db, count);
    const token = await staffToken(db, server.idp.issuer);
    await db.destroy();
    const figures: Figure[] = [];
    for (const [list, query] of LISTS) {
      const path = `/sessions${query.replace("MEMBER", member).replace("MIDDLE", middle)}`;
      let slowest = 0;
      // The first of each kind warms up.
      for (let run = -1; run < RUNS; run++) {
        const begun = performance.now();
        const answer = await call(server.url, "GET", path, { token });
        if (run >= 0) slowest = Math.max(slowest, performance.now() - begun);
        const found = Array.isArray(answer.body) ? answer.body.length : 0;
        if (answer.status !== 200 || found === 0)
          throw new Error(`${path}: ${answer.status}, ${found} sessions`);
      }
      figures.push(amount("sessions", `${name}, ${list}: slowest of ${RUNS}`, "ms", slowest, TARGET_MS));
    }
    return figures;
  } finally {
    await server.close();
  }
}

/** Adds sessions as recordings do, in order of time; one in ten thousand is live. */
async function fill(db: Database, count: number): Promise<{ member: string; middle: string }> {
  const now = Date.now();
  const id = (prefix: "mem" | "eng") => makeId(prefix, now, randomBytes(10));
  const hosts = (await addFleet(db, HOSTS)).map(({ id }) => id);
  const members = Array.from({ length: MEMBERS }, () => id("mem"));
  const people = members.map((id, index) => ({
    ...{ id, name: `Member ${index}`, email: `m${index}@vendor.test`, vendor: "vendor" },
    ...{ created_at: 0, account: null },
  }));
  await db.insertInto("members").values(people).execute();
  const engagement = id("eng");
  let middle = "";
  for (let at = 0; at < count; at += AT_ONCE) {
    const rows = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, offset) => {
      const index = at + offset;
      const started = now - (count - index) * 1000;
      const [host, member] = [index % HOSTS, (index * 7919) % MEMBERS];
      const isLive = index % 10_000 === 0;
      return {
        id: makeId("ses", started, randomBytes(10)),
        host_id: hosts[host] ?? "",
        host_name: `web-${host}`,
        account: "deploy",
        member_id: members[member] ?? "",
        member_name: `Member ${member}`,
        issuer: "https://idp.test",
        subject: `m${member}`,
        engagement_id: engagement,
        engagement_name: "work",
        kind: "pty",
        command: null,
        source_address: "192.0.2.7",
        certificate_serial: String(index + 1),
        started_at_ms: started,
        ended_at_ms: isLive ? null : started + 60_000,
        exit_status: isLive ? null : 0,
        signal: null,
        end_reason: isLive ? null : "exited",
      };
    });
    if (at <= count / 2) middle = rows[0]?.id ?? middle;
    const recordings = rows.map((row) => ({
      session_id: row.id,
      host_id: row.host_id,
      next_sequence: 2,
      length: 1000,
      head_hash: "",
      complete: row.ended_at_ms === null ? 0 : 1,
      raw_bytes: 2000,
      leaf_index: null,
    }));
    await db.transaction().execute(async (transaction) => {
      await transaction.insertInto("recordings").values(recordings).execute();
      await transaction.insertInto("sessions").values(rows).execute();
    });
  }
  // m7 has been on web-7 for certain: 7 × 7919 modulo 1000, 7 modulo 500.
  return { member: members[(7 * 7919) % MEMBERS] ?? "", middle };
}

/** A token of the admin, as a sign-in makes it. */
export async function staffToken(db: Database, issuer: string): Promise<string> {
  const token = randomBytes(32).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const identity = { issuer, subject: "admin" };
  await db
    .insertInto("staff_identities")
    .values({ ...identity, email: "admin@bench.test", pinned_at: now })
    .execute();
  await db
    .insertInto("api_tokens")
    .values({
      ...{ hash: tokenHash(token), ...identity, name: "Admin", mfa: "mfa" },
      ...{ created_at: now, expires_at: now + 3600 },
    } as never)
    .execute();
  return token;
}
