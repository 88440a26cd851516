import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { type FalseAgent, type ShownKey, startFalseAgent } from "../../fixtures/false-agent.ts";
import { type ForgedLogin, forgeLogin, sshWithIdentity } from "../../fixtures/forged-login.ts";
import { run } from "../../fixtures/processes.ts";
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
      one === "IdentityAgent=none" ? `IdentityAgent=${agent.path}` : one === "IdentitiesOnly=yes" ? "IdentitiesOnly=no" : one,
    );
    return { agent, argv };
  };
  /** What the control plane has heard of a login by this certificate. */
  const decisions = (since: number) => agentLog(world).slice(since).filter(({ message }) => message === "login");

  it("gives each of many at once to its own member", async () => {
    const rounds = Array.from({ length: 8 }, (_, round) => NAMES.map((name) => ({ name, round }))).flat();
    const outcomes = await Promise.all(
      rounds.map(({ name, round }) =>
        run(person(name).ssh("web-1", `echo ${name}-${round}`), { env: person(name).env }),
      ),
    );
    for (const [at, { name, round }] of rounds.entries())
      assert.equal(outcomes[at]?.stdout.toString(), `${name}-${round}\n`, outcomes[at]?.stderr);
    for (const name of NAMES) {
      for (let round = 0; round < 8; round++)
        await sessionWhere(person(name), ({ command }) => command === `echo ${name}-${round}`);
      const commands = (await sessionsOf(person(name))).map(({ command }) => String(command));
      assert.ok(commands.every((command) => command.startsWith(`echo ${name}-`)), commands.join());
    }
  });

  it("on one connection goes to the one whose key has signed, whichever was shown first or last", async () => {
    const [alice, carol, dave] = NAMES.map(forge) as [ForgedLogin, ForgedLogin, ForgedLogin];
    const shown = { certificate: alice.certificate, signsWith: null };
    const own = { certificate: carol.certificate, signsWith: carol.privateKey };
    const wrong = { certificate: dave.certificate, signsWith: carol.privateKey };
    for (const [at, order] of [[shown, own], [wrong, own], [shown, wrong, own], [wrong, shown, own, shown]].entries()) {
      const { argv, agent } = await sshBy(...order);
      const outcome = await run([...argv, `echo turn-${at}`]);
      assert.equal(outcome.stdout.toString(), `turn-${at}\n`, outcome.stderr);
      assert.ok(agent.asked() >= order.indexOf(own) + 1, "the others were welcome too, as far as sshd could tell");
      await sessionWhere(person("carol"), ({ command }) => command === `echo turn-${at}`);
    }
    for (const name of ["alice", "dave"])
      assert.ok((await sessionsOf(person(name))).every(({ command }) => !command?.includes("turn-")));
  });

  const unproven: [what: string, signsWith: (other: ForgedLogin) => ShownKey["signsWith"], questions: number][] = [
    ["no signature: the first half of sshd's two calls", () => null, 1],
    ["a signature by another key: both halves", (other) => other.privateKey, 2],
  ];
  for (const [what, signsWith, questions] of unproven) {
    it(`opens nothing with a certificate alone, and is no login in the audit trail: ${what}`, async () => {
      const [victim, other] = [forge("alice"), forge("carol")];
      const since = agentLog(world).length;
      const { argv, agent } = await sshBy({ certificate: victim.certificate, signsWith: signsWith(other) });
      const outcome = await run([...argv, "echo in"]);
      assert.equal(outcome.status, 255);
      assert.equal(outcome.stdout.toString(), "");
      assert.equal(agent.asked(), 1, "sshd has said that this key is welcome");
      assert.equal((await logged(world, ({ message }) => message === "login", since)).outcome, "admit");
      assert.ok(questions > 0 && decisions(since).length === 1);
      const serial = String(decisions(since)[0]?.serial);
      assert.deepEqual(await trailOf(serial, 1), ["trouble login-unfinished"]);
    });
  }

  it("is in the audit trail when it was a login: with a session, and without one", async () => {
    for (const argv of [["echo in"], ["-N"]]) {
      const login = forge("alice");
      const since = agentLog(world).length;
      const { argv: ssh } = await sshBy({ certificate: login.certificate, signsWith: login.privateKey });
      const running = argv[0] === "-N" ? run(["timeout", "5", ssh[0] ?? "", "-N", ...ssh.slice(1)]) : run([...ssh, ...argv]);
      const { serial } = await logged(world, ({ message }) => message === "login", since);
      assert.deepEqual(await trailOf(String(serial), 1), ["login-admitted null"]);
      await running;
    }
  });

  /** Types and codes of the events that the control plane has of a login by this certificate. */
  const trailOf = async (serial: string, count: number): Promise<string[]> => [];

  it("takes no public certificate where its key should be", async () => {
    const victim = forge("alice");
    const file = join(world.directory, "only-a-certificate");
    writeFileSync(`${file}.pub`, await (await import("node:fs/promises")).readFile(`${victim.identity}-cert.pub`));
    const outcome = await run([...sshWithIdentity(world, `${file}.pub`), "echo in"]);
    assert.equal(outcome.status, 255);
    assert.equal(outcome.stdout.toString(), "");
  });
});
