import assert from "node:assert/strict";
import type { SessionSummary } from "@sallyport/core/messages/client-api.ts";
import { parse } from "yaml";
import { ACR } from "../../../demo/identity-provider/configuration.ts";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { forgeLogin } from "../../fixtures/forged-login.ts";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { PEOPLE, startWorld, type World } from "../../fixtures/world.ts";

const subjectOf = (name: string): string => PEOPLE.find((one) => one.name === name)?.sub ?? "";

describe("a brokered sign-in, on another device", () => {
  let world: World;
  /** What came of `sallyport login --device`; all at once, as each waits 5 s before it asks the provider (RFC 8628 §3.5). */
  const logins = new Map<string, Outcome>();

  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "web", members: ["alice", "dave"], accounts: ["deploy"] },
        { name: "lab", members: ["carol", "dave"], accounts: ["tester"], assurance: "brokered" },
      ],
      accounts: [{ name: "deploy" }, { name: "tester" }],
      deviceSignIn: true,
      // Stands for a tenant: the provider of the tests has none.
      issuer: { requiredClaims: { acr: [ACR.mfa] } },
    });
    const people = ["carol", "dave", "alice", "audrey"];
    await Promise.all(
      people.map(async (name) => logins.set(name, await world.person(name).signInByDevice())),
    );
  });
  after(() => world.close());

  it("gets in where the engagement accepts it, and is marked as such everywhere", async () => {
    const carol = world.person("carol");
    const login = logins.get("carol");
    assert.equal(login?.status, 0, login?.stderr);
    assert.match(
      login.stderr,
      /open http:\/\/127\.0\.0\.1:\d+\/device\?user_code=[A-Z-]+\nand check that it shows/,
    );
    assert.match(login.stdout.toString(), /The sign-in is brokered \(on another device\)/);
    const outcome = await run(carol.ssh("web-1", "echo in"), { env: carol.env });
    assert.equal(outcome.stdout.toString(), "in\n", outcome.stderr);

    const sam = await world.signedIn("sam");
    const listed = await sam.sallyport(["sessions", "--json", "--member", "carol@vendor.test"]);
    const sessions = JSON.parse(listed.stdout.toString()) as SessionSummary[];
    assert.deepEqual(
      sessions.map(({ assurance }) => assurance),
      ["brokered"],
    );
    assert.match((await sam.sallyport(["sessions"])).stdout.toString(), / carol \(brokered\) /);
    assert.match((await carol.sallyport(["status"])).stdout.toString(), /The sign-in is brokered/);
    const log = (await sam.sallyport(["audit", "export"])).stdout.toString();
    for (const type of ["signed-in", "certificate-issued"])
      assert.match(
        log,
        new RegExp(
          `"assurance":"brokered"[^\\n]*"type":"${type}"|"type":"${type}"[^\\n]*"assurance":"brokered"`,
        ),
      );
    assert.match(log, /assurance brokered/);
  });

  it("is told at the host when another engagement was meant, and never gets in there", async () => {
    const dave = world.person("dave");
    assert.equal(logins.get("dave")?.status, 0, logins.get("dave")?.stderr);
    const lab = await run(dave.ssh("-l", "tester", "web-1", "echo in"), { env: dave.env });
    assert.equal(lab.stdout.toString(), "in\n", lab.stderr);
    const web = await run(dave.ssh("-l", "deploy", "web-1", "echo in"), { env: dave.env });
    assert.equal(web.status, 254);
    assert.match(web.stderr, /^sallyport: Engagement web needs a sign-in in a browser on the machine/);
    const why = await dave.sallyport(["why"]);
    assert.match(why.stdout.toString(), /bound to your SSH key/);
  });

  it("gets no certificate where no engagement accepts it, and uses up no invitation", async () => {
    assert.match(
      logins.get("alice")?.stderr ?? "",
      /nonce-mismatch: The ID token commits to no SSH key.*Sign in with a browser: sallyport login/,
    );
    const sam = await world.signedIn("sam");
    const log = (await sam.sallyport(["audit", "export"])).stdout.toString();
    assert.doesNotMatch(
      log,
      new RegExp(`identity-pinned[^\\n]*${subjectOf("alice")}|${subjectOf("alice")}[^\\n]*identity-pinned`),
    );
  });

  it("is not enough for the security team", async () => {
    assert.match(logins.get("audrey")?.stderr ?? "", /A device sign-in is not enough for the security team/);
  });

  it("is refused by the host also when the control plane certifies it: whoever holds the CA's key gets no further", async () => {
    const alice = await world.signedIn("alice");
    assert.equal((await run(alice.ssh("web-1", "true"), { env: alice.env })).status, 0);
    const since = agentLog(world).length;
    const forged = forgeLogin(world, subjectOf("alice"), {
      claims: { nonce: undefined, acr: ACR.mfa },
    });
    assert.notEqual((await run(forged.ssh("echo in"))).status, 0);
    assert.equal((await logged(world, (one) => one.message === "login", since)).code, "assurance-too-low");
  });

  it("is refused by the host as another tenant's, offline, by what it has pinned", async () => {
    const { trust } = parse(await world.host.readFile("/etc/sallyport/trust.yaml"));
    assert.deepEqual(trust.issuers[0].requiredClaims, { acr: [ACR.mfa] });
    const since = agentLog(world).length;
    const forged = forgeLogin(world, subjectOf("alice"), { claims: { acr: ACR.password } });
    assert.equal((await run(forged.ssh("echo in"))).status, 255);
    assert.equal((await logged(world, (one) => one.message === "login", since)).code, "token-tenant");
  });

  it("leaves a sign-in in the browser as it is: bound, for either kind of engagement", async () => {
    const dave = await world.signedIn("dave");
    for (const account of ["tester", "deploy"]) {
      const outcome = await run(dave.ssh("-l", account, "web-1", "echo in"), { env: dave.env });
      assert.equal(outcome.stdout.toString(), "in\n", outcome.stderr);
    }
    assert.doesNotMatch((await dave.sallyport(["status"])).stdout.toString(), /brokered/);
  });
});
