import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { pinIdentity, saveMember } from "@sallyport/control-plane/database/members.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import type { RevocationDetail } from "@sallyport/core/messages/revocations.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import { identityTarget } from "@sallyport/core/policy/revocation.ts";
import { until } from "../../../demo/light-host/until.ts";
import { onPostgres } from "../../fixtures/postgres.ts";
import { call } from "./support/client.ts";
import { enrol } from "./support/host.ts";
import { KillablePlane } from "./support/killable-plane.ts";
import { PersistentClient } from "./support/persistent-client.ts";
import { RevocableHost } from "./support/revocable-host.ts";
import { patchOf, scimClient, tokenFiles, USER_SCHEMA } from "./support/scim-client.ts";
import { SsfTransmitter } from "./support/ssf-transmitter.ts";

const SCIM_TOKEN = "idp-scim-token-of-32-characters-or-more";
const SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const STOP_AT_STEP = resolve(import.meta.dirname, "support/stop-at-step.ts");
/** `all`: kills at each single step of each way, which takes minutes. */
const EVERY = process.env.SALLYPORT_KILL_STEPS === "all";
const WITHIN_MS = 20_000;

/** Steps that are passed one after the other; at the last of them it is killed. Named as in support/stop-at-step.ts. */
type Way = readonly string[];
const STORED = "after insert into revocations";
const ACK = "before revocation-ack";
const ACKS_STORED = "after insert into revocation_acknowledgements";

const STEPS: [name: string, way: Way][] = [
  ["the request is there", ["before request"]],
  ["before the transaction", ["before begin"]],
  ["in the transaction, the entry is in", [STORED]],
  ["in the transaction, before the commit", [STORED, "before commit"]],
  ...(onPostgres ? [["the commit is sent", [STORED, "sent commit"]] satisfies [string, Way]] : []),
  ["committed, nobody told", [STORED, "after commit"]],
  ["pushed to one host", [STORED, "after message revocations"]],
  ["pushed to all that are there, the IdP has no answer", [STORED, "before answer"]],
  ["the IdP has its answer", [STORED, "after answer"]],
  ["acknowledged by one, not stored", [STORED, ACK]],
  ["acknowledged by all that are there, not stored", [STORED, ACK, ACK]],
  ["acknowledgements in the transaction", [STORED, ACKS_STORED]],
  ["acknowledgements stored", [STORED, ACKS_STORED, "after commit"]],
  ["before the log has who acknowledged", [STORED, "before insert into audit_events revocation-ack"]],
];
/** Here the third host comes back before it is killed. */
const LAST: [name: string, way: Way][] = [
  ["the last host is there, it is not told", [STORED, ACK, ACK, "before message revocations"]],
  ["acknowledged by the last host, not stored", [STORED, ACK, ACK, ACK]],
];
/** Of ways that share everything after the commit with the first. */
const SOME = new Set(["in the transaction, before the commit", "committed, nobody told"]);
/** Where the database is killed instead. */
const DATABASE = new Set([
  "in the transaction, the entry is in",
  "the commit is sent",
  "committed, nobody told",
  "acknowledgements in the transaction",
]);

/** Somebody's access is taken away. */
interface Notice {
  target: string;
  /** Gives the status of the answer; undefined where there is none. */
  deliver(headers?: Record<string, string>): Promise<number | undefined>;
  /** Said again it is nothing new; what an administrator says again, is. */
  isIdempotent: boolean;
}

describe("a revocation, when the control plane is killed with -9 on its way", function () {
  this.timeout(EVERY ? 1_800_000 : 60_000);
  const files = tokenFiles({ scim: `${SCIM_TOKEN}\n` });
  let transmitter: SsfTransmitter;
  let plane: KillablePlane;
  let db: Database;
  let admin: string;
  let hosts: RevocableHost[];
  let people = 0;

  before(async () => {
    transmitter = await SsfTransmitter.start();
    plane = await KillablePlane.prepare(
      "version: 1\nmembers: []\nengagements: []\n",
      { staff: [{ email: "admin@acme.test", role: "admin" }] },
      { scim: { tokenFile: files.path("scim") }, securityEvents: { issuer: transmitter.url } },
    );
    transmitter.audience = plane.url;
    plane.preload = pathToFileURL(STOP_AT_STEP).href;
    await plane.start();
    db = await plane.database();
    admin = (await new PersistentClient(plane).token("admin")).token;
    const trust = (await call(plane.url, "GET", "/trust")).body as Trust;
    const place = { server: plane.url, trust, directory: plane.directory };
    hosts = [];
    for (const name of ["web-1", "web-2", "away-1"])
      hosts.push(new RevocableHost(await enrol(plane.url, await joinToken(name)), place));
    for (const host of hosts) host.connect();
  });
  after(async () => {
    for (const host of hosts ?? []) host.close();
    await db?.destroy();
    await plane?.close();
    await transmitter?.close();
    files.remove();
    assert.deepEqual(transmitter.violations, []);
  });

  const joinToken = async (name: string): Promise<string> => {
    const body = { name, address: "127.0.0.1", port: 7302, labels: {} };
    const answer = await call(plane.url, "POST", "/join-tokens", { token: admin, body });
    return (answer.body as { joinToken: string }).joinToken;
  };

  /** Somebody who has signed in once, and has a session on each host. */
  const person = async (): Promise<string> => {
    const subject = `person-${people++}`;
    const id = `mem_${String(people).padStart(26, "0")}`;
    await saveMember(db, { id, name: subject, email: null, vendor: "v", created_at: 0, account: null });
    await pinIdentity(db, { issuer: plane.idp.issuer, subject, member_id: id, pinned_at: 0 });
    const nobody = { certificateSerial: "", keyFingerprint: "", memberId: id, engagementId: "", vendors: [] };
    for (const host of hosts)
      host.sessions.push({ subject: { ...nobody, issuer: plane.idp.issuer, subject, signedInAt: 1 } });
    return subject;
  };
  const scim = async (): Promise<Notice> => {
    const subject = await person();
    const idp = scimClient(plane.url, SCIM_TOKEN);
    const user = { schemas: [USER_SCHEMA], userName: subject, externalId: subject, active: true };
    const { body } = await idp.request("POST", "/Users", { body: user });
    const patch = patchOf({ op: "replace", value: { active: false } });
    const deliver = async (headers = {}) =>
      (await idp.request("PATCH", `/Users/${body.id}`, { body: patch, headers }).catch(() => undefined))
        ?.status;
    return { target: identityTarget(plane.idp.issuer, subject), deliver, isIdempotent: true };
  };
  const ways: Record<string, () => Promise<Notice>> = {
    "SCIM active:false": scim,
    "a pushed security event": async () => {
      const subject = await person();
      const sub_id = { format: "iss_sub", iss: plane.idp.issuer, sub: subject };
      const compact = await transmitter.set({ [SESSION_REVOKED]: {} }, { sub_id });
      const deliver = async (headers = {}) =>
        (await transmitter.push(`${plane.url}/security-events`, compact, headers).catch(() => undefined))
          ?.status;
      return { target: identityTarget(plane.idp.issuer, subject), deliver, isIdempotent: true };
    },
    "POST /revocations": async () => {
      const target = `SHA256:${randomBytes(32).toString("base64").slice(0, 43)}`;
      const body = { level: "key", target, reason: "test" };
      const deliver = async (headers = {}) =>
        (
          await call(plane.url, "POST", "/revocations", { token: admin, body, headers }).catch(
            () => undefined,
          )
        )?.status;
      return { target, deliver, isIdempotent: false };
    },
  };

  const list = () => db.selectFrom("revocations").selectAll().orderBy("sequence").execute();
  const entriesOf = async (target: string) => (await list()).filter((entry) => entry.target === target);
  const eventsOf = async (target: string) => {
    const rows = await db
      .selectFrom("audit_events")
      .select("data_json")
      .where("type", "=", "revoked")
      .where("data_json", "like", `%${target}%`)
      .execute();
    return rows.length;
  };
  const isSaved = async (isSo: () => Promise<boolean>, what: string) =>
    assert.ok(await until(() => isSo().catch(() => false), WITHIN_MS), `${what}\n${plane.lastLines}`);
  /** These have the whole list, and the database has their word for it. */
  const have = async (some: readonly RevocableHost[]): Promise<boolean> => {
    const newest = (await list()).at(-1);
    const rows = await db.selectFrom("hosts").select(["id", "revocation_sequence"]).execute();
    const said = new Map(rows.map(({ id, revocation_sequence }) => [id, revocation_sequence]));
    return some.every(
      ({ host, policy, isConnected }) =>
        isConnected &&
        said.get(host.id) === (newest?.sequence ?? 0) &&
        policy.list.sequence === said.get(host.id),
    );
  };

  /** What is true at any moment, whoever is dead. */
  const nothingIsFalse = async () => {
    const rows = await list();
    assert.deepEqual(
      rows.map(({ sequence }) => sequence),
      rows.map((_, index) => index + 1),
    );
    const said = await db.selectFrom("hosts").select(["id", "revocation_sequence"]).execute();
    for (const { host, policy, acknowledged, wrong, sequence } of hosts) {
      assert.deepEqual(wrong, [], host.name);
      assert.ok(sequence <= rows.length, `${host.name} was told of what is not stored`);
      assert.equal(policy.list.chain, rows[sequence - 1]?.chain ?? policy.list.chain, host.name);
      const stored = said.find(({ id }) => id === host.id)?.revocation_sequence ?? 0;
      assert.ok(stored <= acknowledged, `${host.name} is said to have ${stored}, and has ${acknowledged}`);
    }
  };

  /** Two hosts are there with all that is, and one is away. */
  const begin = async () => {
    const [first, second, away] = hosts as [RevocableHost, RevocableHost, RevocableHost];
    await isSaved(() => have([first, second, away]), "hosts do not get ready");
    away.leave();
    await away.cutOff();
    return away;
  };
  const isStopped = () =>
    /\) T /.test(plane.pid === undefined ? "" : readFileSync(`/proc/${plane.pid}/stat`, "latin1"));

  /** From here on there is nobody who would not have it. */
  const isEverywhere = async ({ target, deliver, isIdempotent }: Notice, answered: boolean) => {
    const before = (await entriesOf(target)).length;
    if (answered) assert.equal(before, 1, "it was answered, and is not stored");
    // What is stored needs nobody who says it again.
    if (before > 0) await isSaved(() => have(hosts), "hosts do not get it");
    else await isSaved(async () => ((await deliver()) ?? 500) < 300, "it is not taken");
    if (isIdempotent) assert.ok(((await deliver()) ?? 500) < 300);
    await isSaved(() => have(hosts), "hosts do not get it");
    const [entry, ...more] = await entriesOf(target);
    assert.deepEqual([more, await eventsOf(target)], [[], 1]);
    await nothingIsFalse();
    for (const { host, sessions } of hosts) assert.deepEqual(sessions, [], host.name);
    const answer = await call(plane.url, "GET", `/revocations/${entry?.id}`, { token: admin });
    const { counts } = answer.body as RevocationDetail;
    assert.deepEqual([counts.all, counts.has], [3, 3]);
  };

  /** Kills it, and starts it again; resolves with whether the IdP had an answer that says yes. */
  const restarted = async (answer: Promise<number | undefined>): Promise<boolean> => {
    await plane.kill();
    const status = await answer;
    for (const host of hosts) await host.cutOff();
    await nothingIsFalse();
    await plane.start();
    for (const host of hosts) host.connect();
    return status !== undefined && status < 300;
  };
  const deliverUntil = ({ deliver }: Notice, stopAt: Way | number) =>
    deliver({ "x-stop-at": JSON.stringify(stopAt) });
  const stopped = async (or = () => false): Promise<boolean> => {
    assert.ok(await until(() => isStopped() || or(), WITHIN_MS), `it does not stop\n${plane.lastLines}`);
    return isStopped();
  };
  /** The third host comes when the other two have said that they have it, unless it is over before. */
  const comesAfterTheOthers = async (last: RevocableHost) => {
    const { pid } = plane;
    const others = hosts.filter((host) => host !== last);
    const isOver = () => plane.pid !== pid || isStopped();
    await until(() => isOver() || others.every((host) => host.acknowledged > last.sequence), WITHIN_MS);
    if (!isOver()) last.connect();
  };

  const killedAt = async (make: () => Promise<Notice>, way: Way, isLast = false): Promise<void> => {
    const away = await begin();
    const notice = await make();
    const answer = deliverUntil(notice, way);
    if (isLast) void comesAfterTheOthers(away);
    await stopped();
    await isEverywhere(notice, await restarted(answer));
  };

  /** False where all was over before that step. */
  const killedAtNumber = async (make: () => Promise<Notice>, step: number): Promise<boolean> => {
    const away = await begin();
    const notice = await make();
    const answer = deliverUntil(notice, step);
    void comesAfterTheOthers(away);
    let isOver = false;
    const isEverywhereYet = async () => (await entriesOf(notice.target)).length > 0 && (await have(hosts));
    void until(isEverywhereYet, WITHIN_MS).then(async (isSo) => {
      // What comes after it, if anything does.
      await pause(300);
      isOver = isSo;
    });
    const isStep = await stopped(() => isOver);
    await isEverywhere(notice, await restarted(answer));
    return isStep;
  };

  for (const [way, make] of Object.entries(ways)) {
    describe(way, () => {
      if (EVERY) {
        it("at every step", async () => {
          let step = 1;
          while (await killedAtNumber(make, step)) step++;
          assert.ok(step > 20, `${step} steps`);
        });
        return;
      }
      const isMain = way.startsWith("SCIM");
      for (const [name, steps] of STEPS)
        if (isMain || SOME.has(name)) it(name, async () => void (await killedAt(make, steps)));
      if (isMain)
        for (const [name, steps] of LAST) it(name, async () => void (await killedAt(make, steps, true)));
    });
  }

  it("is not said to be on a host that has it and still ends sessions, before or after", async () => {
    await begin();
    const [first, busy, away] = hosts as [RevocableHost, RevocableHost, RevocableHost];
    const held = Promise.withResolvers<void>();
    busy.held = held.promise;
    const notice = await scim();
    const answer = deliverUntil(notice, [STORED, ACKS_STORED, "after commit"]);
    await stopped();
    const isAnswered = await restarted(answer);
    await isSaved(() => have([first, away]), "the others do not get it");
    assert.ok(busy.sequence === first.sequence && busy.sessions.length > 0);
    await nothingIsFalse();
    held.resolve();
    await isEverywhere(notice, isAnswered);
  });

  if (onPostgres)
    describe("and when it is PostgreSQL that is killed", () => {
      for (const [name, way] of STEPS) {
        if (!DATABASE.has(name)) continue;
        it(name, async () => {
          const away = await begin();
          const notice = await scim();
          const answer = deliverUntil(notice, way);
          await stopped();
          await plane.postgres?.kill();
          await plane.postgres?.start();
          process.kill(plane.pid ?? assert.fail(), "SIGCONT");
          const status = (await answer) ?? 500;
          away.connect();
          await isEverywhere(notice, status < 300);
          assert.deepEqual(plane.endedAlone, []);
        });
      }
    });
});
