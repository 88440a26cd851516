import assert from "node:assert/strict";
import { desiredAccounts } from "@sallyport/agent/accounts/desired-accounts.ts";
import { Bundle } from "@sallyport/core/policy/bundle.ts";
import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { type Revocation, RevocationIndex } from "@sallyport/core/policy/revocation.ts";

const NOW = 1_800_000_000;
const id = (prefix: string, letter: string) => `${prefix}_${letter.repeat(26)}`;
const MEMBER = id("mem", "a");

function engagement(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: id("eng", "a"),
    name: "web",
    vendor: "v",
    members: [MEMBER],
    hosts: { names: ["web-1"] },
    accounts: [],
    personal: {},
    mode: "shell",
    mfa: { level: "none", maxAge: null },
    hours: null,
    sources: [],
    start: NOW - 100,
    end: NOW + 100,
    ended: null,
    approval: { rule: "none", approved: false },
    contact: "",
    ...changes,
  };
}

function bundle(engagements: unknown[], members: unknown[] = [member("a", "dana")]): Bundle {
  return Bundle.parse({
    v: 1,
    host: { id: id("hst", "a"), name: "web-1", labels: {} },
    version: 1,
    issuedAt: NOW,
    leaseUntil: NOW + 600,
    members,
    engagements,
    revocations: [],
    revocationSequence: 0,
  });
}

function member(letter: string, account: string | null): unknown {
  return { id: id("mem", letter), name: letter, email: null, vendor: "v", identities: [], account };
}

const revoked = (level: "member" | "engagement" | "certificate", target: string) =>
  new RevocationIndex([
    {
      id: id("rev", "a"),
      sequence: 1,
      level,
      target,
      at: 1,
      by: "",
      reason: "",
      before: null,
    } satisfies Revocation,
  ]);
const desired = (engagements: unknown[], members?: unknown[], revocations = new RevocationIndex()) =>
  desiredAccounts(bundle(engagements, members), revocations, NOW);
const names = (...args: Parameters<typeof desired>) =>
  desired(...args).accounts.map(({ account }) => account);

describe("accounts that should be there", () => {
  it("are those of running engagements with personal accounts on this host", () => {
    assert.deepEqual(names([engagement()]), ["dana"]);
    const without: [string, Record<string, unknown>][] = [
      ["no personal accounts", { personal: null, accounts: ["deploy"] }],
      ["not begun", { start: NOW + 1 }],
      ["over", { end: NOW }],
      ["ended early", { ended: { at: NOW, by: "", reason: "" } }],
      ["not approved", { approval: { rule: "activation", approved: false } }],
      ["another host", { hosts: { names: ["web-2"] } }],
      ["another member", { members: [id("mem", "b")] }],
    ];
    for (const [name, changes] of without) assert.deepEqual(names([engagement(changes)]), [], name);
    assert.deepEqual(names([engagement()], [member("a", null)]), [], "no name for it");
  });

  it("are not those of a revoked member or engagement", () => {
    assert.deepEqual(names([engagement()], undefined, revoked("member", MEMBER)), []);
    assert.deepEqual(names([engagement()], undefined, revoked("engagement", id("eng", "a"))), []);
    assert.deepEqual(names([engagement()], undefined, revoked("certificate", "1")), ["dana"]);
  });

  it("keep no group and no sudo rule that the host's own policy takes away", () => {
    const given = bundle([engagement({ personal: { groups: ["adm"] }, privilege: { sudo: "full" } })]);
    const left = (policy: object) => {
      const local = [LocalPolicy.parse({ version: 1, ...policy })];
      const [account] = desiredAccounts(given, new RevocationIndex(), NOW, local).accounts;
      return [account?.account, account?.groups, account?.privileges];
    };
    assert.deepEqual(left({}), ["dana", ["adm"], [{ sudo: "full" }]]);
    assert.deepEqual(left({ sudo: "none" }), ["dana", ["adm"], []]);
    assert.deepEqual(left({ deny: { vendors: ["v"] } }), ["dana", [], []]);
    assert.deepEqual(left({ accounts: ["deploy"] }), ["dana", [], []]);
  });

  it("add up what several engagements give", () => {
    const full = { sudo: "full" };
    const result = desired([
      engagement({ personal: { groups: ["b", "a"], home: "delete" }, privilege: full }),
      engagement({ id: id("eng", "b"), personal: { groups: ["a", "c"] }, end: NOW + 500 }),
      engagement({ id: id("eng", "c"), personal: { groups: ["x"], home: "keep" }, end: NOW }),
    ]);
    assert.deepEqual(result.accounts, [
      {
        memberId: MEMBER,
        account: "dana",
        groups: ["a", "b", "c"],
        home: "archive",
        end: NOW + 500,
        privileges: [full],
        runAs: [],
        withheld: [],
      },
    ]);
  });

  describe("commands that run as another account", () => {
    const commands = (...rules: object[]) => ({ mode: "commands", commands: { rules } });
    const exact = { program: "/bin/a", arguments: ["x"], runAs: "root" };
    const open = { name: "any-b", program: "/bin/b", arguments: [{ rest: true }], runAs: "root" };
    const sudo = (engagements: unknown[], policy: object = {}) => {
      const local = [LocalPolicy.parse({ version: 1, ...policy })];
      const [account] = desiredAccounts(bundle(engagements), new RevocationIndex(), NOW, local).accounts;
      return [account?.runAs.map(({ program, arguments: args }) => [program, args]), account?.withheld];
    };
    const shell = engagement({ id: id("eng", "b") });

    it("get rules of sudo's: word for word, or for the program", () => {
      const both = sudo([engagement(commands(exact, open, { program: "/bin/c" }))]);
      assert.deepEqual(both, [
        [
          ["/bin/a", ["x"]],
          ["/bin/b", null],
        ],
        [],
      ]);
    });

    it("get only exact ones where the account has a shell too", () => {
      const why =
        "any-b: its arguments cannot be written for sudo, and another engagement gives the account a shell";
      const left = [[["/bin/a", ["x"]]], [why]];
      assert.deepEqual(sudo([engagement(commands(exact, open)), shell]), left);
      const shared = engagement({ id: id("eng", "b"), members: [], personal: null, accounts: ["dana"] });
      assert.deepEqual(sudo([engagement(commands(exact, open)), shared]), left);
      const narrowed = { commands: { rules: [{ program: "/bin/b" }] } };
      assert.deepEqual(sudo([engagement(commands(exact, open)), shell], narrowed)[1], []);
    });

    it("get none where the host's own policy takes sudo, or the mode", () => {
      assert.deepEqual(sudo([engagement(commands(exact))], { sudo: "none" }), [[], []]);
      assert.deepEqual(sudo([engagement(commands(exact))], { modes: ["shell"] }), [[], []]);
    });

    it("never run as the account itself", () => {
      const itself = { program: "/bin/a", runAs: "dana" };
      assert.deepEqual(sudo([engagement(commands(itself))]), [[], ["a: it runs as the account itself"]]);
    });
  });

  it("keep a home rather than archive it, and archive it rather than delete it", () => {
    const home = (...homes: string[]) =>
      desired(
        homes.map((one, index) => engagement({ id: id("eng", "abc"[index] ?? ""), personal: { home: one } })),
      ).accounts[0]?.home;
    assert.deepEqual(
      [home("delete", "keep"), home("delete", "archive"), home("delete")],
      ["keep", "archive", "delete"],
    );
  });

  it("are nobody's where two members have one name", () => {
    const both = engagement({ members: [MEMBER, id("mem", "b")] });
    const result = desired([both], [member("a", "dana"), member("b", "dana")]);
    assert.deepEqual([result.accounts, result.owners.get("dana")], [[], null]);
  });

  it("are owned also when their engagement is over, so that nobody else's door opens", () => {
    const result = desired([
      engagement({ end: NOW - 1 }),
      engagement({ id: id("eng", "b"), personal: null, accounts: ["app"] }),
    ]);
    assert.equal(result.owners.get("dana"), MEMBER);
    assert.deepEqual([...result.shared], ["app"]);
  });

  it("say when they change by themselves", () => {
    assert.equal(desired([engagement()]).nextChange, NOW + 100);
    assert.equal(desired([engagement({ start: NOW + 50 })]).nextChange, NOW + 50);
    assert.equal(desired([engagement({ end: NOW })]).nextChange, null);
  });
});
