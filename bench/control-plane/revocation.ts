import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { RevocationResponse } from "@sallyport/core/messages/client-api.ts";
import { makeId } from "@sallyport/core/names.ts";
import { addRevocations } from "../../test/fixtures/revocations.ts";
import { call } from "../../test/integration/control-plane/support/client.ts";
import { amount, type Figure } from "../figure.ts";
import { median, p99 } from "../statistics.ts";
import { addFleet } from "./fleet.ts";
import type { FleetMember, FleetNews, FleetOrder } from "./revocation-fleet.ts";
import { type BenchServer, startServer } from "./server.ts";
import { staffToken } from "./sessions.ts";

const HOSTS = 2000;
const LIST = 100_000;
const TARGET_MS = 1000;
/** Between two revocations, for what the one before left to be done. */
const REST_MS = 500;
const WITHIN_MS = 600_000;
const MEMORY_EVERY_MS = 200;

/** From a request to the word of the last of 2,000 hosts, and as many that join when the list is long. */
export async function benchRevocation(runs = 30): Promise<Figure[]> {
  const server = await startServer();
  const fleet = startFleet();
  try {
    const db = await server.database();
    const hosts = (await addFleet(db, HOSTS)).map(({ id, key }) => ({
      ...{ id, key: key.export({ type: "pkcs8", format: "pem" }).toString() },
      session: makeId("ses", Date.now(), randomBytes(10)),
    }));
    const token = await staffToken(db, server.idp.issuer);
    await fleet.order({ type: "connect", server: server.url, hosts });
    await pause(REST_MS);
    const { last, answer, spent } = await revokeAgain(server, token, runs);
    fleet.send({ type: "leave" });
    await addRevocations(db, LIST);
    await db.destroy();
    const joining = await join(server, fleet, hosts);
    return [
      amount("revocation", `to the last word of ${HOSTS} hosts, median`, "ms", median(last)),
      amount("revocation", `  99th percentile of ${runs}`, "ms", p99(last), TARGET_MS),
      amount("revocation", "  to the answer that tells of all of them, median", "ms", median(answer)),
      amount("revocation", "  processor time of the control plane for one", "ms", spent),
      amount("revocation", `${HOSTS} hosts join, list of ${LIST}: all have it`, "s", joining.seconds),
      amount("revocation", "  memory of the control plane meanwhile, at most more", "MB", joining.megabytes),
    ];
  } finally {
    fleet.close();
    await server.close();
  }
}

async function revokeAgain(server: BenchServer, token: string, runs: number) {
  const [last, answer]: [number[], number[]] = [[], []];
  const before = server.processorTime();
  for (let run = 0; run < runs; run++) {
    const target = `SHA256:${randomBytes(32).toString("base64").slice(0, 43)}`;
    const body = { level: "key", target, reason: "bench" };
    const [from, begun] = [Date.now(), performance.now()];
    const { body: told, status } = await call(server.url, "POST", "/revocations", { token, body });
    answer.push(performance.now() - begun);
    const { hosts } = told as RevocationResponse;
    const have = hosts.filter(
      ({ acknowledged, endedSessions }) => acknowledged && endedSessions.length === 1,
    );
    if (status !== 201 || have.length !== HOSTS)
      throw new Error(`${status}: ${have.length} of ${HOSTS} hosts`);
    last.push(Math.max(...have.map(({ acknowledgedAt }) => (acknowledgedAt ?? 0) * 1000)) - from);
    await pause(REST_MS);
  }
  return { last, answer, spent: (server.processorTime() - before) / runs };
}

async function join(server: BenchServer, fleet: Fleet, hosts: FleetMember[]) {
  await server.restart();
  await pause(REST_MS);
  const before = server.memory();
  let most = before;
  const looking = setInterval(() => {
    most = Math.max(most, server.memory());
  }, MEMORY_EVERY_MS);
  const begun = performance.now();
  await fleet.order({ type: "join", server: server.url, hosts }).finally(() => clearInterval(looking));
  return { seconds: (performance.now() - begun) / 1000, megabytes: most - before };
}

interface Fleet {
  send(order: FleetOrder): void;
  /** Resolves when all hosts of the order have the list and a lease. */
  order(order: FleetOrder): Promise<void>;
  close(): void;
}

function startFleet(): Fleet {
  const child: ChildProcess = fork(resolve(import.meta.dirname, "revocation-fleet.ts"), {
    execArgv: ["--max-old-space-size=4096"],
  });
  return {
    send: (order) => void child.send(order),
    order: (order) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error("the fleet is not ready")), WITHIN_MS);
        const hear = (news: FleetNews) => {
          if (news.type === "wrong") reject(new Error(`a host: ${news.what}`));
          else resolve();
          clearTimeout(late);
          child.off("message", hear);
        };
        child.on("message", hear);
        child.send(order);
      }),
    close: () => void child.kill(),
  };
}
