import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { RevocationDetail } from "@sallyport/core/messages/revocations.ts";
import { onPostgres } from "../../fixtures/postgres.ts";
import { call } from "./support/client.ts";
import type { RevocableHost } from "./support/revocable-host.ts";
import { byAdministrator, disabledByScim, type Notice, securityEvent } from "./support/revocation-ways.ts";
import { StoppableWorld } from "./support/stoppable-world.ts";

/** `all`: kills at each single step of each way, which takes minutes. */
const EVERY = process.env.SALLYPORT_KILL_STEPS === "all";

/** Steps that are passed one after the other; at the last of them it stops. Named as in support/stop-at-step.ts. */
type Path = readonly string[];
const STORED = "after insert into revocations";
const ACK = "before revocation-ack";
const ACKS_STORED = "after insert into revocation_acknowledgements";

const STEPS: [name: string, path: Path][] = [
  ["the request is there", ["before request"]],
  ["before the transaction", ["before begin"]],
  ["in the transaction, the entry is in", [STORED]],
  ["in the transaction, before the commit", [STORED, "before commit"]],
  ...(onPostgres ? [["the commit is sent", [STORED, "sent commit"]] satisfies [string, Path]] : []),
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
const LAST: [name: string, path: Path][] = [
  ["the last host is there, it is not told", [STORED, ACK, ACK, "before message revocations"]],
  ["acknowledged by the last host, not stored", [STORED, ACK, ACK, ACK]],
];
/** Of ways that share everything after the commit with SCIM. */
const SOME = new Set(["in the transaction, before the commit", "committed, nobody told"]);
/** Where the database is killed instead. */
const DATABASE = new Set([
  "in the transaction, the entry is in",
  "the commit is sent",
  "committed, nobody told",
  "acknowledgements in the transaction",
]);

describe("a revocation, when the control plane is killed with -9 on its way", function () {
  this.timeout(EVERY ? 1_800_000 : 60_000);
  let world: StoppableWorld;

  before(async () => {
    world = await StoppableWorld.begin();
  });
  after(() => world?.close());

  /** Two hosts are there with all that is, and one leaves. */
  const begin = async (): Promise<RevocableHost> => {
    await world.untilSo(() => world.have(), "hosts do not get ready");
    const away = world.hosts.at(-1) ?? assert.fail();
    away.leave();
    await away.cutOff();
    return away;
  };
  const deliverUntil = ({ deliver }: Notice, stopAt: Path | number) =>
    deliver({ "x-stop-at": JSON.stringify(stopAt) });
  const isStopped = () => world.untilSo(() => world.isStopped, "it does not stop");
  /** The third host comes when the other two have said that they have it, unless it is over before. */
  const comesAfterTheOthers = async (last: RevocableHost) => {
    const { pid } = world.plane;
    const others = world.hosts.filter((host) => host !== last);
    const isOver = () => world.plane.pid !== pid || world.isStopped;
    const haveIt = () => others.every((host) => host.acknowledged > last.sequence);
    await world.untilSo(() => isOver() || haveIt(), "the others do not get it");
    if (!isOver()) last.connect();
  };

  /** Everybody has it, once, and nobody who heard yes was told too much. */
  const isEverywhere = async ({ target, deliver, isIdempotent }: Notice, isAnswered: boolean) => {
    const entries = async () => (await world.list()).filter((entry) => entry.target === target);
    const before = (await entries()).length;
    if (isAnswered) assert.equal(before, 1, "it was answered, and is not stored");
    // What is stored needs nobody who says it again.
    if (before > 0) await world.untilSo(() => world.have(), "hosts do not get it");
    else await world.untilSo(() => deliver(), "it is not taken");
    if (isIdempotent) assert.ok(await deliver());
    await world.untilSo(() => world.have(), "hosts do not get it");
    const [entry, ...more] = await entries();
    assert.deepEqual([more, await world.eventsOf(target)], [[], 1]);
    await world.nothingIsFalse();
    for (const { host, sessions } of world.hosts) assert.deepEqual(sessions, [], host.name);
    const { plane, token } = world;
    const { counts } = (await call(plane.url, "GET", `/revocations/${entry?.id}`, { token }))
      .body as RevocationDetail;
    assert.deepEqual([counts.all, counts.has], [3, 3]);
  };

  const killedAt = async (notify: typeof disabledByScim, path: Path, isLast = false): Promise<void> => {
    const away = await begin();
    const notice = await notify(world);
    const answer = deliverUntil(notice, path);
    if (isLast) await comesAfterTheOthers(away);
    await isStopped();
    await world.restart();
    await isEverywhere(notice, await answer);
  };

  /** False where all was over before that step. */
  const killedAtNumber = async (notify: typeof disabledByScim, step: number): Promise<boolean> => {
    const away = await begin();
    const notice = await notify(world);
    const answer = deliverUntil(notice, step);
    await comesAfterTheOthers(away);
    await world.untilSo(async () => world.isStopped || (await world.have()), "hosts do not get it");
    // What comes after that, if anything does.
    for (let wait = 0; wait < 30 && !world.isStopped; wait++) await pause(10);
    const { isStopped } = world;
    await world.restart();
    await isEverywhere(notice, await answer);
    return isStopped;
  };

  const ways = {
    "SCIM active:false": disabledByScim,
    "a pushed security event": securityEvent,
    "POST /revocations": byAdministrator,
  };
  for (const [way, notify] of Object.entries(ways)) {
    describe(way, () => {
      const isMain = notify === disabledByScim;
      if (EVERY)
        it("at every step", async () => {
          let step = 1;
          while (await killedAtNumber(notify, step)) step++;
          assert.ok(step > 50, `${step} steps`);
        });
      for (const [name, path] of STEPS) if (isMain || SOME.has(name)) it(name, () => killedAt(notify, path));
      for (const [name, path] of isMain ? LAST : []) it(name, () => killedAt(notify, path, true));
    });
  }

  it("is not said to be on a host that has it and still ends sessions, before or after", async () => {
    await begin();
    const [first, busy, away] = world.hosts as [RevocableHost, RevocableHost, RevocableHost];
    const held = Promise.withResolvers<void>();
    busy.held = held.promise;
    const notice = await disabledByScim(world);
    const answer = deliverUntil(notice, [STORED, ACKS_STORED, "after commit"]);
    await isStopped();
    await world.restart();
    await world.untilSo(() => world.have([first, away]), "the others do not get it");
    assert.ok(busy.sequence === first.sequence && busy.sessions.length > 0);
    await world.nothingIsFalse();
    held.resolve();
    await isEverywhere(notice, await answer);
  });

  if (onPostgres)
    describe("and when it is PostgreSQL that is killed", () => {
      for (const [name, path] of STEPS.filter(([step]) => DATABASE.has(step)))
        it(name, async () => {
          const away = await begin();
          const notice = await disabledByScim(world);
          const answer = deliverUntil(notice, path);
          await isStopped();
          const { plane } = world;
          await plane.postgres?.kill();
          await plane.postgres?.start();
          process.kill(plane.pid ?? assert.fail(), "SIGCONT");
          const isAnswered = await answer;
          away.connect();
          await isEverywhere(notice, isAnswered);
          assert.deepEqual(plane.endedAlone, []);
        });
    });
});
