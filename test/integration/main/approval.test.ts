import assert from "node:assert/strict";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

interface Listed {
  id: string;
  state: string;
  automatic: boolean;
  reason: string;
  member: { email: string };
}

describe("an engagement that takes approval", () => {
  let world: World;
  let alice: Person;
  let sam: Person;

  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "guarded", members: ["alice"], approval: { rule: "login", lasts: 3600 } },
        { name: "whole", members: ["carol"], approval: { rule: "activation", ticket: true } },
      ],
    });
    alice = await world.signedIn("alice");
    sam = await world.signedIn("sam");
  });
  after(() => world.close());

  const ssh = (person: Person): Promise<Outcome> =>
    run(person.ssh("web-1", "echo", "in"), { env: person.env });

  /** Requests as this person sees them, once there is one in this state. */
  async function request(person: Person, state: string): Promise<Listed> {
    for (;;) {
      const { stdout } = await person.sallyport(["approvals", "--state", state, "--json"]);
      const [first] = JSON.parse(stdout.toString()) as Listed[];
      if (first !== undefined) return first;
    }
  }

  it("refuses a login with what to type, and makes the request by itself", async () => {
    const refused = await ssh(alice);
    assert.equal(refused.status, 254);
    assert.match(
      refused.stderr,
      /^sallyport: Engagement guarded lets you in only once an approver has approved it\. Ask for it with: sallyport request guarded --reason "…"/,
    );
    const { automatic, reason, member } = await request(alice, "pending");
    assert.deepEqual(
      [automatic, reason, member.email],
      [true, "login to web-1 as deploy refused", "alice@vendor.test"],
    );
    const why = (await alice.sallyport(["why"])).stdout.toString();
    assert.match(why, /\(approval-missing\)/);
    assert.match(why, /Your request apr_\w+ for guarded waits for an answer/);
  });

  it("lets in once it is approved, with the same certificate", async () => {
    const { id } = await request(sam, "pending");
    const approved = await sam.sallyport(["approvals", "approve", id, "--note", "until tonight"]);
    assert.equal(approved.status, 0, approved.stderr);
    assert.match(approved.stdout.toString(), /web-1: acknowledged/);
    const admitted = await ssh(alice);
    assert.deepEqual([admitted.status, admitted.stdout.toString()], [0, "in\n"], admitted.stderr);
  });

  it("ends the sessions when the approval is withdrawn, and refuses the next login", async () => {
    const { id } = await request(sam, "approved");
    const terminal = new TerminalClient(alice.ssh("web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    const withdrawn = await sam.sallyport(["approvals", "withdraw", id, "--reason", "enough"]);
    assert.equal(withdrawn.status, 0, withdrawn.stderr);
    await terminal.exited;
    assert.match(
      terminal.text,
      /sallyport: The approval for engagement guarded was withdrawn\. Ask dana@company\.test\. This session ends now\./,
    );
    const ended = await sessionWhere(
      alice,
      (one) => one.state === "ended" && one.endReason === "engagement-ended",
    );
    assert.ok(ended.id);
    assert.match((await ssh(alice)).stderr, /^sallyport: Engagement guarded lets you in only once/);
    assert.match(
      (await alice.sallyport(["why"])).stdout.toString(),
      /The approval for guarded was withdrawn/,
    );
  });

  it("can be asked for and waited for: a yes ends with 0, a no with 6", async () => {
    const wait = () => alice.sallyport(["request", "guarded", "--reason", "the disk is full", "--wait"]);
    const [yes, first] = [wait(), await request(sam, "pending")];
    assert.equal(first.automatic, false);
    assert.equal((await alice.sallyport(["approvals", "approve", first.id])).status, 6, "her own");
    assert.equal((await sam.sallyport(["approvals", "approve", first.id])).status, 0);
    const approved = await yes;
    assert.equal(approved.status, 0, approved.stderr);
    assert.match(approved.stdout.toString(), /guarded is approved by sam@company\.test until/);
    assert.equal((await ssh(alice)).status, 0);
    const [no, second] = [wait(), await request(sam, "pending")];
    assert.equal((await sam.sallyport(["approvals", "deny", second.id, "--note", "not today"])).status, 0);
    const denied = await no;
    assert.equal(denied.status, 6);
    assert.match(denied.stderr, /was denied by sam@company\.test: not today/);
  });

  it("is approved for everybody at once where that is its rule, and asks for its ticket", async () => {
    const carol = await world.signedIn("carol");
    assert.match((await ssh(carol)).stderr, /sallyport request whole --reason "…" --ticket …/);
    const without = await carol.sallyport(["request", "whole", "--reason", "start"]);
    assert.match(without.stderr, /has to name a ticket: add --ticket/);
    const asked = await carol.sallyport([
      "request",
      "whole",
      "--reason",
      "start",
      "--ticket",
      "OPS-1",
      "--json",
    ]);
    const { id } = JSON.parse(asked.stdout.toString()) as Listed;
    assert.equal((await sam.sallyport(["approvals", "approve", id])).status, 0);
    assert.equal((await ssh(carol)).status, 0);
  });
});
