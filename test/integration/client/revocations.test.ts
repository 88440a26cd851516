import assert from "node:assert/strict";
import { type IdentityProvider, startIdentityProvider } from "../../../demo/identity-provider.ts";
import { ALICE } from "./fixtures/people.ts";
import { SESSION } from "./fixtures/recording.ts";
import { hasIt, lacksIt } from "./fixtures/revocations.ts";
import { type SignedIn, signedIn } from "./fixtures/signed-in.ts";

const ID = "rev_01j00000000000000000000000";
const ENDED = "ses_01j00000000000000000000000";

describe("sallyport revoke and unrevoke", () => {
  let idp: IdentityProvider;
  let all: SignedIn;
  const run = (...args: string[]) => all.machine.run(...args);
  const calls = () => all.server.state.requests.map(({ call }) => call);

  before(async () => {
    idp = await startIdentityProvider({ port: 0, users: [ALICE] });
    all = await signedIn(idp);
  });
  after(async () => {
    await all.close();
    await idp.close();
  });
  beforeEach(() => {
    all.server.state.requests = [];
    all.server.state.revocationCourse = [[hasIt("web-1", [ENDED]), lacksIt("web-2", "cut-off")]];
  });

  it("says who has it, what ended, and from when on nobody gets in at the others", async () => {
    const result = await run("revoke", SESSION, "--reason", "laptop stolen");
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(all.server.state.requests[0]?.body, {
      ...{ level: "session", target: SESSION, reason: "laptop stolen", signInsOnly: false },
    });
    assert.match(
      result.stdout,
      new RegExp(
        `^Revoked session ${SESSION} \\(${ID}\\)\\.\n1 of 2 hosts have it\\.\nEnded 1 session: ${ENDED}\\.\n` +
          "1 host is without it:\n {2}web-2: CUT OFF; may admit until its lease ends, 2033-05-18 03:33 \\(in \\d+ days\\)\n$",
      ),
    );
  });

  for (const [option, target, level] of [
    ["--member", "alice@vendor.test", "member"],
    ["--vendor", "acme", "vendor"],
    ["--issuer", "https://idp.test", "issuer"],
    ["--identity", "https://idp.test 4711", "identity"],
  ] as const) {
    it(`takes ${option}, for what was signed in for until now as well`, async () => {
      const result = await run("revoke", option, target, "--sign-ins-only", "--json");
      assert.equal(result.status, 0, result.stderr);
      const { hosts, ...answer } = JSON.parse(result.stdout);
      assert.deepEqual(answer, { id: ID, sequence: 3, level, target });
      assert.equal(hosts[0].leaseUntil, "2033-05-18T03:33:20.000Z");
      const body = { level, target, reason: "", signInsOnly: true };
      assert.deepEqual(all.server.state.requests[0]?.body, body);
    });
  }

  it("stays short with thousands of hosts", async () => {
    const names = Array.from({ length: 2000 }, (_, n) => `web-${n}`);
    all.server.state.revocationCourse = [
      names.map((name, n) => (n < 1500 ? hasIt(name) : lacksIt(name, n < 1990 ? "cut-off" : "no-lease"))),
    ];
    const { stdout } = await run("revoke", "--vendor", "acme");
    assert.match(
      stdout,
      /^1,500 of 2,000 hosts have it\.\nNo session had to end\.\n10 hosts are without it and without a lease: nobody gets in there\.\n490 hosts are without it:\n/m,
    );
    assert.match(stdout, /\n {2}and 470 more; all of them: sallyport revocations show rev_\S+ --json\n$/);
    assert.ok(stdout.split("\n").length < 30);
  });

  it("waits until every host that is connected has it, and ends with 9 where one is cut off", async () => {
    all.server.state.revocationCourse = [
      [hasIt("web-1", [ENDED]), lacksIt("web-2", "asked"), lacksIt("web-3", "cut-off")],
      [hasIt("web-1"), lacksIt("web-2", "asked"), lacksIt("web-3", "cut-off")],
      [hasIt("web-1"), hasIt("web-2"), lacksIt("web-3", "cut-off")],
    ];
    const { status, stdout, stderr } = await run("revoke", "--vendor", "acme", "--wait");
    assert.deepEqual([status, stderr], [9, ""], "progress is for a terminal");
    assert.match(
      stdout,
      new RegExp(
        `^Revoked vendor acme \\(${ID}\\)\\.\n2 of 3 hosts have it\\.\nEnded 1 session: ${ENDED}\\.\n`,
      ),
    );
    assert.match(
      stdout,
      /web-3: CUT OFF.*\nFrom 2033-05-18 03:33 on nobody gets in anywhere, whatever comes\.\n$/,
    );
    const polls = calls().filter((call) => call === `GET /revocations/${ID}`);
    assert.equal(polls.length, 3, "two questions and the answer");
  });

  it("waits as long as it is told for those that are cut off, and ends with 0 when they have it or no lease", async () => {
    all.server.state.revocationCourse = [
      [hasIt("web-1"), lacksIt("web-2", "cut-off"), lacksIt("web-3", "cut-off")],
      [hasIt("web-1"), lacksIt("web-2", "cut-off"), lacksIt("web-3", "cut-off")],
      [hasIt("web-1"), hasIt("web-2"), lacksIt("web-3", "no-lease")],
    ];
    const { status, stdout } = await run("revoke", "--vendor", "acme", "--wait", "20", "--json");
    const { counts, hosts } = JSON.parse(stdout);
    assert.deepEqual([status, counts.has, counts.noLease], [0, 2, 1]);
    assert.equal(hosts.length, 3);
    all.server.state.revocationCourse = [[lacksIt("web-1", "asked")]];
    assert.equal((await run("revoke", "--vendor", "acme", "--wait", "1")).status, 9, "the time is up");
  });

  it("takes a number of seconds, and one thing to revoke", async () => {
    assert.equal((await run("revoke", "--wait", "acme-web")).status, 2);
    assert.equal((await run("revoke", "--vendor", "acme", "--issuer", "https://idp.test")).status, 2);
    assert.equal((await run("revoke")).status, 2);
    assert.deepEqual(calls(), []);
  });

  it("gives access back, by what was revoked or by the revocation", async () => {
    const result = await run("unrevoke", "alice@vendor.test", "--reason", "new laptop");
    assert.equal(result.status, 0, result.stderr);
    const body = { level: "member", target: "alice@vendor.test", reason: "new laptop" };
    assert.deepEqual(all.server.state.requests[0], { call: "POST /revocations/lift", body, query: "" });
    assert.match(
      result.stdout,
      /^member alice@vendor\.test may sign in again \(rev_\S+\)\. What was revoked stays gone\.\n1 of 2 hosts have it\.\n1 host is without it:\n {2}web-2: CUT OFF; it goes on refusing until it hears of it\n$/,
    );
    const byId = await run("unrevoke", ID, "--json");
    assert.equal(byId.status, 0, byId.stderr);
    assert.equal(JSON.parse(byId.stdout).target, "mem_01jd3m0000000000000000abcd");
    assert.equal((await run("unrevoke", ID, "--vendor", "acme")).status, 2);
    assert.equal((await run("unrevoke")).status, 2);
  });

  it("lists revocations, and shows one with the hosts that do not have it", async () => {
    const { stdout } = await run("revocations", "--level", "member", "--of", "alice@vendor.test", "--all");
    assert.match(
      stdout,
      /^ID +LEVEL +OF +SINCE +BY +STATE +REASON\nrev_\S+ +member +alice@vendor\.test\\u\{1b\}\[2J .* in force +laptop stolen\nrev_\S+ .* lifted 2023-11-14 22:14 by sec@acme\.test /,
    );
    const query = new URLSearchParams(all.server.state.requests[0]?.query);
    assert.deepEqual(Object.fromEntries(query), { level: "member", target: "alice@vendor.test" });
    const [first] = JSON.parse((await run("revocation", "list", "--json")).stdout);
    assert.deepEqual([first.at, first.inForce], ["2023-11-14T22:13:20.000Z", true]);
    assert.match(all.server.state.requests[1]?.query ?? "", /inForce=true/);
    const shown = await run("revocations", "show", ID);
    assert.match(
      shown.stdout,
      /^Revocation {2}rev_\S+ \(number 3\)\nOf {10}member alice@vendor\.test\\u\{1b\}\[2J \(mem_\S+\)\n/,
    );
    assert.match(shown.stdout, /\nState {7}in force\n1 of 2 hosts have it\.\n/);
    assert.equal(JSON.parse((await run("revocations", "show", ID, "--json")).stdout).hosts.length, 2);
    assert.equal((await run("revocations", "--level", "everything")).status, 2);
    assert.equal((await run("revocations", "--of", "alice@vendor.test")).status, 2);
    assert.equal((await run("revocations", "rev_1")).status, 2);
  });
});
