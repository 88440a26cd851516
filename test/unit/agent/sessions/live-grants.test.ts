import assert from "node:assert/strict";
import { LiveGrants } from "@sallyport/agent/sessions/live-grants.ts";
import { CommandGrant } from "@sallyport/core/commands/command-rule.ts";
import type { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { SessionMode } from "@sallyport/core/policy/engagement.ts";
import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import type { LiveSession } from "../../../../agent/src/recorders/control-messages.ts";

const id = (prefix: string) => `${prefix}_${"a".repeat(26)}`;
const list = (...programs: string[]) =>
  CommandGrant.parse({ rules: programs.map((program) => ({ program })) });
const local = (policy: object) => LocalPolicy.parse({ version: 1, ...policy });

function bundle(engagement: object): Bundle {
  return Bundle.parse({
    ...{ v: 1, host: { id: id("hst"), name: "db-1", labels: {} }, version: 1, issuedAt: 1, leaseUntil: 2 },
    ...{ members: [], revocations: [], revocationSequence: 0 },
    engagements: [
      {
        ...{ id: id("eng"), name: "work", vendor: "v", members: [], hosts: {}, accounts: ["deploy"] },
        ...{ mfa: { level: "none", maxAge: null }, hours: null, sources: [], start: 0, end: 9, ended: null },
        ...{ approval: { rule: "none", approved: false }, contact: "dana", mode: "commands" },
        ...engagement,
      },
    ],
  });
}

describe("grants of live sessions", () => {
  const told: (string[][] | string)[] = [];
  const grants = () =>
    new LiveGrants((_session, grant: SessionGrant) =>
      told.push(
        grant.mode === "shell"
          ? "shell"
          : grant.commands.map(({ rules }) => rules.map(({ program }) => program)),
      ),
    );
  const live = (mode?: SessionMode, session = id("ses")) =>
    ({ session, mode, start: { engagement: { id: id("eng") } } }) as LiveSession;
  beforeEach(() => told.splice(0));

  it("are told once, and again when the engagement or the host's own policy says something else", () => {
    const keeper = grants();
    const first = bundle({ commands: list("df") });
    keeper.look(live("commands"), first, []);
    keeper.look(live("commands"), first, []);
    keeper.look(live("commands"), bundle({ commands: list("df"), accounts: ["other"] }), []);
    assert.deepEqual(told, [[["df"]]]);
    keeper.look(live("commands"), bundle({ commands: list("df", "id") }), []);
    assert.deepEqual(told.splice(0), [[["df"]], [["df", "id"]]]);
    const narrowed = [local({ commands: list("id") })];
    const second = bundle({ commands: list("df", "id") });
    keeper.look(live("commands"), second, narrowed);
    keeper.look(live("commands"), second, [...narrowed]);
    keeper.look(live("commands"), second, [local({ hours: undefined, commands: list("id") })]);
    assert.deepEqual(told, [[["df", "id"], ["id"]]]);
  });

  it("are told to each session", () => {
    const keeper = grants();
    const same = bundle({ commands: list("df") });
    keeper.look(live("commands"), same, []);
    keeper.look(live("commands", `ses_${"b".repeat(26)}`), same, []);
    assert.equal(told.length, 2);
    keeper.forget(id("ses"));
    keeper.look(live("commands"), same, []);
    assert.equal(told.length, 3);
  });

  it("are nothing for shells, and nothing new where there could be one now", () => {
    const keeper = grants();
    for (const mode of ["shell", undefined] as const)
      keeper.look(live(mode), bundle({ commands: list("df") }), []);
    keeper.look(live("commands"), bundle({ mode: "shell", commands: null }), []);
    keeper.look(
      { ...live("commands"), start: { engagement: { id: "eng_gone" } } } as LiveSession,
      bundle({}),
      [],
    );
    assert.deepEqual(told, []);
  });

  it("lack the commands that run as others where the host takes sudo", () => {
    const commands = { rules: [{ program: "id", runAs: "root" }, { program: "df" }] };
    grants().look(live("commands"), bundle({ commands }), [local({ sudo: "none" })]);
    assert.deepEqual(told, [[["df"]]]);
  });
});
