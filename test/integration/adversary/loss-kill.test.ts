import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { type Frame, FrameKind } from "@sallyport/core/recording/frame.ts";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog } from "../../fixtures/agent-log.ts";
import type { ListedSession } from "../../fixtures/sessions.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";
import { NumberedSession, type Pace } from "./support/numbered-session.ts";
import { Random } from "./support/random.ts";
import { StoredRecordings } from "./support/stored-recordings.ts";

const MOMENTS = Number(process.env.SALLYPORT_KILL_RUNS ?? 50);
const SEED = Number(process.env.SALLYPORT_KILL_SEED ?? Date.now() % 1e9);
/** Sessions at a time, and how many of them must be printing when something is killed. */
const AT_A_TIME = 5;
const PRINTING = 2;
/** Longest pause before something is killed, in milliseconds. */
const MAX_DELAY = 300;

/** Bulk, many small bursts, one line at a time, and sessions so short that beginning and end are hit as well. */
const PACES: Pace[] = [
  { lines: 20_000, burst: 400, pause: 0.05 },
  { lines: 2_000, burst: 10, pause: 0.015 },
  { lines: 150, burst: 1, pause: 0.02 },
  { lines: 40, burst: 2, pause: 0.02 },
];

type Victim = "agent" | "recorder" | "control plane";

describe(`kill -9 at ${MOMENTS} random moments (SALLYPORT_KILL_SEED=${SEED})`, function () {
  this.timeout(120_000 + MOMENTS * 6_000);
  const random = new Random(SEED);
  const sessions: NumberedSession[] = [];
  const killed: { victim: Victim; at: number }[] = [];
  let world: World;
  let alice: Person;
  let stored: StoredRecordings;
  let listed: ListedSession[];

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
    stored = new StoredRecordings(world, alice);
  });
  after(() => world.close());

  /** What runs and may be killed. The control plane is away between its death and its start. */
  const killing: Record<Victim, () => Promise<boolean>> = {
    agent: async () => {
      if (world.host.agentPid() === undefined) return false;
      await world.host.killAgent("SIGKILL");
      return true;
    },
    recorder: async () => {
      const pids = world.host.recorderPids();
      if (pids.length === 0) return false;
      process.kill(random.pick(pids), "SIGKILL");
      return true;
    },
    "control plane": async () => {
      if (starting !== undefined) return false;
      await world.stopControlPlane("SIGKILL");
      starting = world.startControlPlane().finally(() => {
        starting = undefined;
      });
      return true;
    },
  };
  let starting: Promise<void> | undefined;

  async function keepOpening(over: () => boolean): Promise<void> {
    while (!over()) {
      const plan = { ...random.pick(PACES), mark: `s${sessions.length}`, terminal: random.below(2) === 0 };
      const session = new NumberedSession(alice, plan);
      sessions.push(session);
      // Without an agent there is no login: the next try is not to come at once.
      if ((await session.ended) === 255) await pause(100);
    }
  }

  /** Sessions of the client that were admitted, with what is stored of each. */
  const recorded = () =>
    sessions.flatMap((session) => {
      const its = listed.filter(({ command }) => command?.includes(` ${session.plan.mark} `));
      assert.ok(its.length <= 1, `${session.plan.mark} was recorded more than once`);
      return its.map((one) => ({ session, listed: one }));
    });

  it("happens while sessions print", async () => {
    let over = false;
    const opening = Array.from({ length: AT_A_TIME }, () => keepOpening(() => over));
    while (killed.length < MOMENTS) {
      assert.ok(
        await until(() => sessions.filter(({ runs }) => runs).length >= PRINTING, 30_000),
        "sessions",
      );
      await pause(random.below(MAX_DELAY));
      const victim = random.pick<Victim>(["agent", "recorder", "control plane"]);
      const at = performance.now();
      if (await killing[victim]()) killed.push({ victim, at });
    }
    over = true;
    await Promise.all(opening);
    await starting;
  });

  it("leaves no recording behind: every one is at the control plane, with an end", async () => {
    const left = async () => (await world.host.run(["sh", "-c", "ls /var/lib/sallyport/spool"])).stdout;
    await until(async () => /^(rejected|kept|\s)*$/.test(await left()), 30_000);
    assert.match(await left(), /^(rejected|kept|\s)*$/);
    assert.equal((await world.host.run(["ls", "/var/lib/sallyport/spool/rejected"])).stdout, "");
    listed = await stored.list();
    assert.deepEqual(
      listed.filter(({ state }) => state !== "ended"),
      [],
    );
    assert.ok(listed.length >= MOMENTS / 2, `${listed.length} sessions`);
  });

  it("loses no byte that was displayed, has none twice, and every recording verifies", async () => {
    for (const { session, listed: one } of recorded()) {
      const frames = await stored.verified(one.id);
      for (const stream of ["output", "error"] as const) {
        const name = `${session.plan.mark} (${one.id}), ${stream}`;
        const recording = textOf(frames, FrameKind[stream]);
        const shown = session.shown(stream);
        assert.ok(session.whole(stream).startsWith(recording), `${name}: a gap, or something twice`);
        assert.ok(
          recording.startsWith(shown),
          `${name}: ${shown.length} shown, ${recording.length} recorded`,
        );
      }
    }
  });

  it("shows nothing that is in no recording", () => {
    const known = new Set(recorded().map(({ session }) => session));
    for (const session of sessions.filter((one) => !known.has(one)))
      assert.equal(session.shown("output") + session.shown("error"), "", session.plan.mark);
  });

  it("ends a session for its recorder's death only, and says so in its end record", () => {
    for (const { session, listed: one } of recorded()) {
      const { mark } = session.plan;
      const during = killed.filter(({ victim, at }) => {
        return victim === "recorder" && at >= session.startedAt && at <= session.endedAt;
      });
      if (one.endReason === "exited" && session.status !== 254) {
        assert.deepEqual([session.status, one.exitStatus], [0, 0], mark);
        assert.equal(session.shown("output"), session.whole("output"), mark);
        assert.equal(session.shown("error"), session.whole("error"), mark);
      } else {
        assert.equal(session.status, 254, mark);
        assert.ok(["exited", "recorder-lost"].includes(String(one.endReason)), `${mark}: ${one.endReason}`);
        assert.ok(
          during.length > 0,
          `${mark} (${one.id}) ended as ${one.endReason}, and no recorder was killed`,
        );
      }
    }
  });

  it("sets no recording aside, and `sallyport verify` says what we say", async () => {
    const damaged = agentLog(world).filter(({ message }) => /set aside/.test(message));
    assert.deepEqual(damaged, []);
    for (const reason of ["exited", "recorder-lost"]) {
      const one = listed.find(({ endReason }) => endReason === reason);
      assert.ok(one !== undefined, reason);
      assert.equal((await alice.sallyport(["verify", one.id])).status, 0);
    }
  });
});

function textOf(frames: readonly Frame[], kind: number): string {
  return Buffer.concat(frames.filter((frame) => frame.kind === kind).map(({ data }) => data)).toString();
}
