import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { verifyLog } from "@sallyport/client/audit/verify-log.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import { fingerprint, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { formatHeader } from "@sallyport/core/transparency/log-export.ts";
import { until } from "../../../demo/light-host/until.ts";
import { onPostgres } from "../../fixtures/postgres.ts";
import { Random } from "../adversary/support/random.ts";
import type { KillablePlane } from "./support/killable-plane.ts";
import { beginWork, type KilledWorld, preparePlane } from "./support/killed-world.ts";

const SEED = Number(process.env.SALLYPORT_KILL_SEED ?? Date.now() % 1e9);
const RUNS = Number(process.env.SALLYPORT_KILL_RUNS ?? (onPostgres ? 6 : 10));
/** Longest time of work between two deaths, and of a database that is away, in milliseconds. */
const MAX_WORK = 300;
const MAX_AWAY = 150;
/** Answers that people, and blocks and events that hosts must have had acknowledged since the last death. */
const ANSWERS = 10;
const BLOCKS = 3;

type Victim = "control plane" | "control plane, and again while it starts" | "database" | "both";

const victims = (random: Random): Victim[] => {
  const databases = onPostgres ? Math.ceil(RUNS * 0.75) : 0;
  const all = Array.from({ length: RUNS + databases }, (_, index): Victim => {
    if (index >= RUNS) return index % 4 === 0 ? "both" : "database";
    return index % 4 === 0 ? "control plane, and again while it starts" : "control plane";
  });
  return all.toSorted(() => random.next() - 0.5);
};

describe(`a control plane that is killed with -9, and its database (SALLYPORT_KILL_SEED=${SEED})`, function () {
  this.timeout(60_000 + RUNS * 8_000);
  const random = new Random(SEED);
  let plane: KillablePlane;
  let world: KilledWorld;
  let db: Database;
  const killed: Victim[] = [];
  /** The newest checkpoint that somebody had seen at each death. */
  const seen: string[] = [];

  before(async () => {
    plane = await preparePlane();
  });
  after(async () => {
    await db?.destroy();
    await plane?.close();
  });

  /** Data of all audit events of a type, in order. */
  const events = async (type: string): Promise<Record<string, unknown>[]> => {
    const rows = await db
      .selectFrom("audit_events")
      .select("data_json")
      .where("type", "=", type)
      .orderBy("leaf_index")
      .execute();
    return rows.map(({ data_json }) => JSON.parse(data_json));
  };

  const killing: Record<Victim, () => Promise<void>> = {
    "control plane": async () => {
      await plane.kill();
      await plane.start();
    },
    "control plane, and again while it starts": async () => {
      await plane.kill();
      plane.spawn();
      await pause(random.below(1000));
      await plane.kill();
      await plane.start();
    },
    database: async () => {
      await plane.postgres?.kill();
      await pause(random.below(MAX_AWAY));
      await plane.postgres?.start();
    },
    both: async () => {
      await Promise.all([plane.postgres?.kill(), plane.kill()]);
      await plane.postgres?.start();
      await plane.start();
    },
  };

  it("starts from whatever a first start that was killed has left", async () => {
    for (const delay of [0.3, 0.6, 0.9]) {
      plane.spawn();
      await pause(1000 * delay);
      await plane.kill();
    }
    await plane.start();
    world = await beginWork(plane, random);
  });

  it("goes on each time, while people and hosts work", async () => {
    let over = false;
    const blocks = () => world.hosts.reduce((sum, host) => sum + host.acknowledged, 0);
    const failed = { error: undefined as unknown };
    const work = world
      .work(() => over)
      .catch((error: unknown) => {
        failed.error = error;
      });
    for (const victim of victims(random)) {
      const before = [world.client.answered, blocks()] as const;
      const goneOn = () => world.client.answered >= before[0] + ANSWERS && blocks() >= before[1] + BLOCKS;
      const goesOn = await until(() => failed.error !== undefined || goneOn(), 30_000);
      if (failed.error !== undefined) throw failed.error;
      assert.ok(goesOn, `nothing goes on after ${killed.at(-1)}:\n${plane.lastLines}`);
      await pause(random.below(MAX_WORK));
      seen.push(...world.checkpoints.slice(-1));
      killed.push(victim);
      await killing[victim]();
    }
    over = true;
    await work;
    if (failed.error !== undefined) throw failed.error;
    assert.deepEqual(plane.endedAlone, [], "it ended though nobody had killed it");
    db = await plane.database();
  });

  it("has every block that was acknowledged, each once: every recording is what its host has, and verifies", async () => {
    let recordings = 0;
    for (const { host, uploads, wrong, links } of world.hosts) {
      assert.deepEqual(wrong, []);
      assert.ok(links >= RUNS, `${links} links`);
      for (const { session, blocks } of uploads) {
        const headers = { authorization: `Bearer ${world.token}` };
        const answer = await fetch(`${plane.url}/api/v1/sessions/${session}/recording`, { headers });
        assert.equal(answer.status, 200, session);
        const bytes = Buffer.from(await answer.arrayBuffer());
        assert.ok(bytes.equals(Buffer.concat(blocks.map((block) => block.bytes))), session);
        assert.equal(verifyRecording(bytes, createPublicKey(host.key)).blocks, blocks.length);
        recordings++;
      }
    }
    const completed = (await events("recording-complete")).map(({ session }) => session);
    assert.deepEqual([completed.length, new Set(completed).size], [recordings, recordings]);
    assert.ok(recordings > RUNS / 2, `${recordings} recordings`);
  });

  it("has every event that a host was told is stored, once", async () => {
    const stored = (await events("host-event")).map(({ id }) => id);
    const sent = world.hosts.flatMap((host) => host.events.map(({ id }) => id));
    assert.deepEqual(stored.toSorted(), sent.toSorted());
  });

  it("has every certificate that was issued, once, and no ID token or challenge was good twice", async () => {
    const { issued, lost } = world.certificates;
    const rows = await db.selectFrom("certificates").select(["serial", "key_fingerprint"]).execute();
    const told = (await events("certificate-issued")).map(({ serial }) => serial);
    assert.deepEqual(told.toSorted(), rows.map(({ serial }) => serial).toSorted());
    const keys = Map.groupBy(rows, (row) => row.key_fingerprint);
    for (const { answer, key } of issued) {
      const name = fingerprint(publicKeyFromKeyObject(key.privateKey).blob);
      assert.deepEqual(
        keys.get(name)?.map(({ serial }) => serial),
        [answer.certificate?.serial],
      );
    }
    for (const key of lost)
      assert.equal(keys.get(key)?.length, 1, "the answer was lost, not the certificate");
    const pinned = (await events("identity-pinned")).map(({ subject }) => subject);
    assert.equal(new Set(pinned).size, pinned.length);
  });

  it("has every approval that was given, once: one grant, one answer of each, one event", async () => {
    const grants = await db.selectFrom("approval_grants").select("request_id").execute();
    const requests = await db.selectFrom("approval_requests").select(["id", "reason", "state"]).execute();
    const [asked, answered, withdrawn] = [
      await events("approval-requested"),
      await events("approval-answered"),
      await events("approval-withdrawn"),
    ];
    assert.equal(requests.length, world.approvals.asked.length);
    for (const { id, reason, state } of world.approvals.asked) {
      const its = (list: Record<string, unknown>[]) => list.filter((one) => one.id === id);
      assert.deepEqual(
        requests.filter((request) => request.id === id),
        [{ id, reason, state }],
      );
      const granted = grants.filter(({ request_id }) => request_id === id).length;
      assert.equal(granted, state === "approved" ? 1 : 0, `${reason} is ${state}`);
      assert.equal(its(asked).length, 1, reason);
      const answers = await db
        .selectFrom("approval_answers")
        .select("issuer")
        .where("request_id", "=", id)
        .execute();
      assert.equal(its(answered).length, answers.length, `${reason}: events of answers`);
      const decided = its(answered).filter((event) => event.state !== "pending");
      assert.equal(decided.length, 1, `${reason}: decided`);
      assert.equal(its(withdrawn).length, state === "withdrawn" ? 1 : 0, `${reason}: withdrawn`);
    }
  });

  it("has every revocation that was acknowledged, once, and their numbers have no gap", async () => {
    const rows = await db.selectFrom("revocations").selectAll().orderBy("sequence").execute();
    assert.deepEqual(
      rows.map(({ sequence }) => sequence),
      rows.map((_, index) => index + 1),
    );
    for (const { id, sequence, level, target, unanswered } of world.revocations.revoked) {
      const { id: stored, ...row } = rows[sequence - 1] ?? assert.fail(`there is no revocation ${sequence}`);
      assert.deepEqual([stored, row.level, row.target], [id, level, target]);
      // A key is named once only here, so that more of it are attempts without an answer.
      if (level !== "key") continue;
      const same = rows.filter((other) => other.target === target).length;
      assert.ok(same >= 1 && same <= 1 + unanswered, `${same} of ${target}`);
    }
    for (const host of world.hosts)
      for (const [sequence, id] of host.revocations)
        assert.equal(rows[sequence - 1]?.id, id, "a host was told of what was not stored");
    const told = (await events("revoked")).flatMap(({ entries }) => entries as { sequence: number }[]);
    assert.deepEqual(
      told.map(({ sequence }) => sequence),
      rows.map(({ sequence }) => sequence),
    );
  });

  it("has every version of an engagement that was acknowledged, once", async () => {
    const versions = await db
      .selectFrom("engagement_versions")
      .select(["engagement_id", "version", "why"])
      .execute();
    for (const { id, version, why } of world.engagements.changed) {
      const its = versions.filter((one) => one.engagement_id === id && one.version === version);
      assert.deepEqual(
        its.map((one) => one.why),
        [why],
      );
    }
    const whys = versions.map((one) => one.why).filter((why) => why.startsWith("work-"));
    assert.equal(new Set(whys).size, whys.length, "a change was made twice");
  });

  it("enrolled one host with each join token, and signed in one browser with each code", async () => {
    const { enrolled, lost } = world.enrolments;
    const hosts = await db.selectFrom("hosts").select("host_key").execute();
    assert.deepEqual(
      hosts.map(({ host_key }) => host_key).toSorted(),
      [...enrolled.map(({ hostKey }) => hostKey), ...lost].toSorted(),
    );
    const uses = (await events("host-enrolled")).map(({ joinToken }) => joinToken);
    assert.deepEqual([new Set(uses).size, uses.length], [hosts.length, hosts.length]);
    const { begun, lost: unanswered } = world.webCodes;
    assert.equal((await events("web-session-begun")).length, begun + unanswered);
  });

  it("has an audit log that verifies, and goes on from everything that was seen of it before a death", async () => {
    const { client, token, logKey } = world;
    const checkpoint = String((await client.ask("GET", "/audit/checkpoint", { token })).body);
    const size = Number(checkpoint.split("\n")[1]);
    const lines = [formatHeader({ from: 0, frontier: [], checkpoint, key: logKey })];
    while (lines.length - 1 < size) {
      const answer = await client.ask("GET", `/audit/entries?from=${lines.length - 1}&to=${size}`, { token });
      lines.push(...String(answer.body).trimEnd().split("\n"));
    }
    for (const since of [undefined, ...new Set(seen)])
      assert.equal((await verifyLog(lines, { key: logKey, since })).size, size);
    assert.ok(new Set(seen).size > RUNS / 2, `${new Set(seen).size} checkpoints`);
    const ids = await db.selectFrom("audit_events").select("id").execute();
    assert.equal(new Set(ids.map(({ id }) => id)).size, ids.length);
  });
});
