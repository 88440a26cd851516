import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { type FalseAgent, type ShownKey, startFalseAgent } from "../../fixtures/false-agent.ts";
import { type ForgedLogin, forgeLogin, sshWithIdentity } from "../../fixtures/forged-login.ts";
import { finished, run } from "../../fixtures/processes.ts";
import { sessionsOf, sessionWhere } from "../../fixtures/sessions.ts";
import { PEOPLE, type Person, startWorld, type World } from "../../fixtures/world.ts";

const NAMES = ["alice", "carol", "dave"] as const;
const subjectOf = (name: string): string => PEOPLE.find((one) => one.name === name)?.sub ?? "";

/** One shared account, several members: whose session is it? */
describe("two logins for one decision", () => {
  let world: World;
  const people = new Map<string, Person>();
  let agents: FalseAgent[] = [];

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: [...NAMES] }] });
    for (const name of NAMES) people.set(name, await world.signedIn(name));
  });
  afterEach(async () => {
    await Promise.all(agents.map((agent) => agent.close()));
    agents = [];
  });
  after(() => world.close());

  const person = (name: string): Person => people.get(name) ?? world.person(name);
  const forge = (name: string): ForgedLogin => forgeLogin(world, subjectOf(name));
  /** argv of an ssh that has no key but what this agent shows, in this order. */
  const sshBy = async (...keys: ShownKey[]): Promise<{ agent: FalseAgent; argv: string[] }> => {
    const agent = await startFalseAgent(join(world.directory, `agent-${agents.length}`), keys);
    agents.push(agent);
    const argv = sshWithIdentity(world, "none").map((one) =>
      one === "IdentityAgent=none"
        ? `IdentityAgent=${agent.path}`
        : one === "IdentitiesOnly=yes"
          ? "IdentitiesOnly=no"
          : one,
    );
    return { agent, argv };
  };
  /** The line of the agent's log on the one decision since, once there. */
  const decision = (since: number) => logged(world, ({ message }) => message === "login", since);
  /** Types and codes of the events that the control plane has of a login by this certificate; waits for the first. */
  const trailOf = async (serial: unknown): Promise<string[]> => {
    const database = new DatabaseSync(join(world.directory, "control-plane/sallyport.db"), {
      readOnly: true,
    });
    const query = database.prepare(
      "select event_json from host_events where certificate_serial = ? order by at_ms",
    );
    let events: string[] = [];
    await until(() => {
      events = query.all(String(serial)).map(({ event_json }) => {
        const { type, code } = JSON.parse(String(event_json)) as HostEvent;
        return `${type} ${code}`;
      });
      return events.length > 0;
    }, 10_000);
    database.close();
    return events;
  };

  it("gives each of many at once to its own member", async () => {
    const rounds = Array.from({ length: 8 }, (_, round) => NAMES.map((name) => ({ name, round }))).flat();
    const outcomes = await Promise.all(
      rounds.map(({ name, round }) =>
        run(person(name).ssh("web-1", `echo ${name}-${round}`), { env: person(name).env }),
      ),
    );
    for (const [at, { name, round }] of rounds.entries())
      assert.deepEqual(
        { ...outcomes[at], stdout: outcomes[at]?.stdout.toString() },
        { status: 0, signal: null, stdout: `${name}-${round}\n`, stderr: "" },
      );
    for (const name of NAMES) {
      const own = Array.from({ length: 8 }, (_, round) => `echo ${name}-${round}`);
      let commands: unknown[] = [];
      await until(async () => {
        commands = (await sessionsOf(person(name))).map(({ command }) => command);
        return commands.length >= own.length;
      }, 40_000);
      assert.deepEqual(commands.sort(), own);
    }
  });

  it("on one connection goes to the one whose key has signed, whichever was shown first or last", async () => {
    const [alice, carol, dave] = NAMES.map(forge) as [ForgedLogin, ForgedLogin, ForgedLogin];
    const shown = { certificate: alice.certificate, signsWith: null };
    const own = { certificate: carol.certificate, signsWith: carol.privateKey };
    const wrong = { certificate: dave.certificate, signsWith: carol.privateKey };
    for (const [at, order] of [
      [shown, own],
      [wrong, own],
      [shown, wrong, own],
      [wrong, shown, own, shown],
    ].entries()) {
      const { argv, agent } = await sshBy(...order);
      const outcome = await run([...argv, `echo turn-${at}`]);
      assert.equal(outcome.stdout.toString(), `turn-${at}\n`, outcome.stderr);
      assert.ok(
        agent.asked() >= order.indexOf(own) + 1,
        "the others were welcome too, as far as sshd could tell",
      );
      await sessionWhere(person("carol"), ({ command }) => command === `echo turn-${at}`);
    }
    for (const name of ["alice", "dave"])
      assert.ok((await sessionsOf(person(name))).every(({ command }) => !command?.includes("turn-")));
  });

  const unproven: [what: string, signsWith: (other: ForgedLogin) => ShownKey["signsWith"]][] = [
    ["no signature, the first half of sshd's two calls", () => null],
    ["a signature by another key, both halves", (other) => other.privateKey],
  ];
  for (const [what, signsWith] of unproven) {
    it(`is not had with a certificate alone, nor said to have been: ${what}`, async () => {
      const [victim, other] = [forge("alice"), forge("carol")];
      const since = agentLog(world).length;
      const { argv, agent } = await sshBy({ certificate: victim.certificate, signsWith: signsWith(other) });
      const outcome = await run([...argv, "echo in"]);
      assert.deepEqual([outcome.status, outcome.stdout.toString()], [255, ""]);
      assert.equal(agent.asked(), 1, "sshd has said that this key is welcome");
      const { outcome: answer, serial } = await decision(since);
      assert.equal(answer, "admit");
      assert.deepEqual(await trailOf(serial), ["trouble login-unfinished"]);
    });
  }

  for (const [what, argv] of [
    ["with a session", ["echo in"]],
    ["without one", []],
  ] as const) {
    it(`is in the audit trail where there was a login: ${what}`, async () => {
      const login = forge("alice");
      const since = agentLog(world).length;
      const { argv: ssh } = await sshBy({ certificate: login.certificate, signsWith: login.privateKey });
      const client = spawn(ssh[0] ?? "", [...(argv.length === 0 ? ["-N"] : []), ...ssh.slice(1), ...argv]);
      const ended = finished(client);
      const { serial } = await decision(since);
      const [first] = await trailOf(serial);
      assert.equal(first, "login-admitted null");
      if (argv.length === 0) client.kill();
      await ended;
    });
  }

  it("takes no public certificate where its key should be", async () => {
    const victim = forge("alice");
    const file = join(world.directory, "only-a-certificate");
    copyFileSync(`${victim.identity}-cert.pub`, `${file}.pub`);
    const outcome = await run([...sshWithIdentity(world, `${file}.pub`), "echo in"]);
    assert.equal(outcome.status, 255);
    assert.equal(outcome.stdout.toString(), "");
  });
});
