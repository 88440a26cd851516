import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfiguration } from "@sallyport/control-plane/config/load-configuration.ts";
import { systemRandom } from "@sallyport/control-plane/environment.ts";
import { type RotateKeyOptions, rotateKey } from "@sallyport/control-plane/keys/rotate-key-command.ts";
import { openStore } from "@sallyport/control-plane/store.ts";
import type { KeyKind } from "@sallyport/core/messages/key-succession.ts";
import { Trust } from "@sallyport/core/messages/trust.ts";
import { parseCertificateLine } from "@sallyport/core/ssh/certificate.ts";
import { fingerprint } from "@sallyport/core/ssh/public-key.ts";
import { decodeProtectedHeader } from "jose";
import { until } from "../../../demo/light-host/until.ts";
import { agentLog } from "../../fixtures/agent-log.ts";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const HOST_CERTIFICATE = "/etc/ssh/ssh_host_ed25519_key-cert.pub";
const ENGAGEMENT = { name: "web", members: ["alice", "carol", "dave"] };

describe("keys that follow keys, on a real host:", () => {
  let world: World;
  let alice: Person;
  let carol: Person;

  before(async () => {
    world = await startWorld({ engagements: [ENGAGEMENT] });
    alice = await world.signedIn("alice");
  });
  after(() => world.close());

  const logIn = (person: Person): Promise<Outcome> =>
    run(person.ssh("web-1", "echo in"), { env: person.env });
  const isIn = ({ stdout, status, stderr }: Outcome) =>
    assert.deepEqual([stdout.toString(), status], ["in\n", 0], stderr);
  /** As the command `rotate-key`, beside the running control plane, without the start of a program each time. */
  async function rotated(kind: KeyKind, step: Partial<RotateKeyOptions> = {}): Promise<string> {
    const config = loadConfiguration(join(world.directory, "control-plane.yaml"));
    const { db, keys } = await openStore({ config });
    const environment = { clock: Date.now, random: systemRandom };
    try {
      const options = { kind, finish: false, force: false, status: false, ...step };
      return (await rotateKey({ db, environment, keys, config }, options)).join("\n");
    } finally {
      await db.destroy();
    }
  }
  const signing = (text: string) => /^\S+: (\S+) signs/.exec(text)?.[1] ?? assert.fail(text);
  const isSwitched = async (kind: KeyKind) => (await rotated(kind, { status: true })).includes("the old one");
  const pinned = async (name: string, count: number) =>
    (await world.host.readFile("/etc/sallyport/trust.yaml")).split(`sallyport-${name}`).length - 1 === count;
  const caOf = (line: string) => fingerprint(parseCertificateLine(line).signatureKey.blob);
  const certificate = (person: Person) =>
    readFileSync(join(person.home, "sallyport-cert.pub"), "utf8").trim();

  const trustedNow = async () => Trust.parse(await (await fetch(`${world.url}/api/v1/trust`)).json());

  const becomes = async (check: () => boolean | Promise<boolean>) =>
    assert.ok(await until(check, 20_000), "it did not happen within 20 s");

  /** Logs in again and again while `work` goes on; all must get in, but for `except`. */
  async function withLogins(
    person: Person,
    work: () => Promise<void>,
    except: (outcome: Outcome) => boolean = () => false,
  ): Promise<void> {
    let done = false;
    const working = work().finally(() => {
      done = true;
    });
    let count = 0;
    // The first may have been in before the work began; on a busy machine the next one comes in when it has just ended.
    while (!done || count < 2) {
      const outcome = await logIn(person);
      if (!except(outcome)) isIn(outcome);
      count++;
    }
    await working;
  }

  /** On SIGHUP sshd executes itself anew (sshd(8)), and listens again a moment later: nothing of ours is asked. */
  const isReloading = ({ status, stderr }: Outcome) =>
    status === 255 && /Connection (refused|reset|closed)/.test(stderr);

  it("a new user CA refuses nobody, before, during and after", async () => {
    isIn(await logIn(alice));
    const old = caOf(certificate(alice));
    await withLogins(alice, async () => {
      assert.equal(signing(await rotated("user-ca")), old);
      await becomes(() => isSwitched("user-ca"));
    });
    assert.equal((await world.host.readFile("/etc/sallyport/user_ca.pub")).trim().split("\n").length, 2);
    carol = await world.signedIn("carol");
    assert.notEqual(caOf(certificate(carol)), old);
    isIn(await logIn(carol));
    isIn(await logIn(alice));

    const early = rotated("user-ca", { finish: true });
    await assert.rejects(early, /certificates of the old key may be valid until 20/);
    await rotated("user-ca", { finish: true, force: true });
    await becomes(() => pinned("user-ca", 1));
    assert.equal((await world.host.readFile("/etc/sallyport/user_ca.pub")).trim().split("\n").length, 1);
    isIn(await logIn(carol));
    assert.equal((await logIn(alice)).status, 255);
  });

  it("a new policy key leaves no host without a policy, also after a restart", async () => {
    const lines = agentLog(world).length;
    const kid = async () => {
      const [jws = ""] = (await world.host.readFile("/var/lib/sallyport/bundle.jws")).split("\n");
      return decodeProtectedHeader(jws).kid;
    };
    const old = await kid();
    await withLogins(carol, async () => {
      await rotated("policy");
      await becomes(async () => (await isSwitched("policy")) && (await kid()) !== old);
      await rotated("policy", { finish: true });
      await becomes(
        async () => !(await world.host.readFile("/etc/sallyport/trust.yaml")).includes(`kid: ${old}`),
      );
    });
    const refused = agentLog(world)
      .slice(lines)
      .filter(({ message }) => message === "a policy message was refused");
    assert.deepEqual(refused, []);
    await world.stopControlPlane();
    await world.host.stopAgent();
    await world.host.startAgent();
    isIn(await logIn(carol));
    await world.startControlPlane();
  });

  it("a new host CA certifies sshd's keys anew, and sshd shows it without a restart", async () => {
    const old = caOf(await world.host.readFile(HOST_CERTIFICATE));
    await rotated("host-ca");
    // The control plane looks at its keys once a second; who signs in before knows the old one alone.
    await becomes(async () => (await trustedNow()).hostCaKeys.length === 2);
    assert.equal((await carol.signIn({ force: true })).status, 0);
    await withLogins(
      carol,
      async () => {
        await becomes(() => pinned("host-ca", 2));
        await rotated("host-ca", { force: true });
        await becomes(async () => caOf(await world.host.readFile(HOST_CERTIFICATE)) !== old);
        await becomes(async () => !(await rotated("host-ca", { status: true })).includes("waits for"));
      },
      isReloading,
    );
    await rotated("host-ca", { finish: true });
    // Only the new key is known to whoever signs in now.
    const dave = await world.signedIn("dave");
    isIn(await logIn(dave));
  });

  it("a host that was away for all of it finds its way from the key that it knew", async () => {
    await world.host.stopAgent();
    await rotated("user-ca");
    await rotated("user-ca", { force: true });
    await rotated("user-ca", { finish: true, force: true });
    await rotated("policy");
    await rotated("policy", { force: true });
    await rotated("policy", { finish: true, force: true });
    const signs = signing(await rotated("user-ca", { status: true }));
    await becomes(async () => {
      assert.equal((await carol.signIn({ force: true })).status, 0);
      return caOf(certificate(carol)) === signs;
    });
    await world.host.startAgent();
    await becomes(async () => (await logIn(carol)).status === 0);
    assert.ok(await pinned("user-ca", 1));
  });
});
