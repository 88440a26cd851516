import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseCertificateLine } from "@sallyport/core/ssh/certificate.ts";
import { until } from "../../../demo/light-host/until.ts";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { PEOPLE, type Person, startWorld, type World } from "../../fixtures/world.ts";

const now = (): number => Math.floor(Date.now() / 1000);
const subjectOf = (name: string): string => PEOPLE.find((one) => one.name === name)?.sub ?? "";

interface Held {
  file: string | null;
  renewal: { file: string; from: number; until: number } | null;
}

describe("one sign-in a day, where the control plane keeps the refresh token", () => {
  let world: World;

  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "web", members: ["alice", "bob", "dave"], mfa: { level: "none" }, assurance: "brokered" },
      ],
      controlPlane: { certificateLifetime: 60 },
      issuer: { check: { every: 5 } },
      deviceSignIn: true,
    });
  });
  after(() => world.close());

  const held = (person: Person): Held => JSON.parse(readFileSync(join(person.home, "key.json"), "utf8"));
  const certificate = (person: Person) =>
    parseCertificateLine(readFileSync(join(person.home, "sallyport-cert.pub"), "utf8").trim());
  const ssh = (person: Person, ...command: string[]): Promise<Outcome> =>
    run(person.ssh("web-1", ...command), { env: person.env });

  async function greets(person: Person): Promise<void> {
    const { stdout, stderr, status } = await ssh(person, "echo in");
    assert.deepEqual([stdout.toString(), status], ["in\n", 0], stderr);
  }

  /** As if a third of the certificate's life was left. */
  async function due(person: Person): Promise<void> {
    const issued = Math.floor(statSync(join(person.home, "sallyport-cert.pub")).mtimeMs / 1000);
    while (now() <= issued) await setTimeout(50);
    const state = held(person);
    writeFileSync(
      join(person.home, "key.json"),
      JSON.stringify({ ...state, renewal: state.renewal && { ...state.renewal, from: 0 } }),
    );
    writeFileSync(join(person.home, "valid-until"), "0\n");
  }

  async function renews(person: Person): Promise<void> {
    const { serial } = certificate(person);
    await due(person);
    await greets(person);
    assert.notEqual(certificate(person).serial, serial);
  }

  it("leaves no refresh token on the contractor's machine, and renews all the same", async () => {
    const alice = await world.signedIn("alice");
    const { renewal } = held(alice);
    assert.ok(renewal !== null);
    const grant = JSON.parse(readFileSync(renewal.file, "utf8"));
    assert.deepEqual([grant.keeper, "refreshToken" in grant], ["control-plane", false]);
    for (const file of globSync(join(alice.home, "**/*.json")))
      assert.ok(!/refresh_?token"/i.test(readFileSync(file, "utf8")), file);
    const { publicKey } = certificate(alice);
    await greets(alice);
    await renews(alice);
    await renews(alice);
    assert.deepEqual(certificate(alice).publicKey.blob, publicKey.blob);
    const status = await alice.sallyport(["status"]);
    assert.match(status.stdout.toString(), /renewed as you use it, without a browser, until .* \(in 1[12] h/);
  });

  it("renews after the control plane was killed", async () => {
    const alice = world.person("alice");
    await world.stopControlPlane("SIGKILL");
    await world.startControlPlane();
    await renews(alice);
  });

  it("keeps the certificate while the control plane is away, and tries again later", async () => {
    const alice = world.person("alice");
    const { serial } = certificate(alice);
    await world.stopControlPlane();
    await due(alice);
    await greets(alice);
    assert.equal(certificate(alice).serial, serial);
    assert.ok((held(alice).renewal?.from ?? 0) > now() + 30);
    await world.startControlPlane();
    await renews(alice);
  });

  it("leaves nothing behind with logout, and begins anew with a sign-in", async () => {
    const bob = await world.signedIn("bob");
    const files = [join(bob.home, "key.json"), held(bob).renewal?.file ?? "", held(bob).file ?? ""];
    const { stderr } = await bob.sallyport(["logout"]);
    assert.equal(stderr, "Signed out.\n");
    for (const file of files) assert.ok(!existsSync(file), file);
    await world.signedIn("bob");
    await renews(bob);
  });

  it("asks about a sign-in on another device as well, which is not renewed", async () => {
    const dave = world.person("dave");
    const { status, stderr } = await dave.signInByDevice();
    assert.equal(status, 0, stderr);
    assert.equal(held(dave).renewal, null);
    await greets(dave);
    world.idp.disableUser(subjectOf("dave"));
    const refused = async () => (await ssh(dave, "echo in")).status === 254;
    assert.ok(await until(refused, 20_000), "the check ends it");
    world.idp.enableUser(subjectOf("dave"));
  });

  it("ends when the IdP disables the account: one clear sentence, and nothing is left to log in with", async () => {
    const dave = await world.signedIn("dave");
    const { file = "" } = held(dave).renewal ?? {};
    await greets(dave);
    world.idp.disableUser(subjectOf("dave"));
    await due(dave);
    const refused = await ssh(dave, "echo in");
    assert.deepEqual([refused.status, refused.stdout.toString()], [255, ""]);
    assert.match(
      refused.stderr,
      /^sallyport: Your identity provider, Test IdP, no longer vouches for you \(so it told the control plane\)[^\n]*sign in again with: sallyport login\.[^\n]*\n$/,
    );
    for (const path of [file, join(dave.home, "key.json"), join(dave.home, "sallyport-cert.pub")])
      assert.ok(!existsSync(path), path);
    assert.match((await dave.sallyport(["why"])).stdout.toString(), /no longer vouches for you/);
    world.idp.enableUser(subjectOf("dave"));
    assert.equal((await dave.signIn()).status, 0);
    world.idp.disableUser(subjectOf("dave"));
    await due(dave);
    assert.equal((await dave.sallyport(["ssh", "web-1", "true"])).status, 5);
  });
});
