import assert from "node:assert/strict";
import { CommandGrant } from "@sallyport/core/commands/command-rule.ts";
import { sessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { FileGrant } from "@sallyport/core/files/file-grant.ts";
import { mustEnd } from "@sallyport/core/policy/continue.ts";
import type { SessionMode } from "@sallyport/core/policy/engagement.ts";
import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { narrow } from "@sallyport/core/policy/narrow.ts";
import { RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import { decide, id, MEMBER, makeBundle, makeEngagement, makeScenario, NOW } from "./scenario.ts";

const local = (policy: object) => LocalPolicy.parse({ version: 1, ...policy });
const list = (...programs: string[]) =>
  CommandGrant.parse({ rules: programs.map((program) => ({ program })) });
const files = (path: string) => FileGrant.parse({ directories: [{ path }] });

const SHELL = makeEngagement();
const COMMANDS = makeEngagement({ mode: "commands", commands: list("uptime", "df"), files: files("/srv") });
const FILES = makeEngagement({ mode: "files", files: files("/srv") });

describe("what a session may be", () => {
  const shape = (engagement = SHELL, ...locals: object[]) => {
    const grant = sessionGrant(engagement, locals.map(local));
    if (grant.mode === "shell") return "shell";
    return [
      grant.mode,
      grant.commands.map(({ rules }) => rules.map(({ program }) => program)),
      grant.files.map(({ directories }) => directories.map(({ path }) => path)),
    ];
  };

  it("is what the engagement says where the host says nothing", () => {
    assert.equal(shape(SHELL, {}), "shell");
    assert.deepEqual(shape(COMMANDS, {}), ["commands", [["uptime", "df"]], [["/srv"]]]);
    assert.deepEqual(shape(FILES, {}), ["files", [], [["/srv"]]]);
  });

  it("has each of the host's lists beside the engagement's own", () => {
    const both = [{ commands: list("df") }, { commands: list("id"), files: files("/srv/a") }];
    assert.deepEqual(shape(COMMANDS, ...both), [
      "commands",
      [["uptime", "df"], ["df"], ["id"]],
      [["/srv"], ["/srv/a"]],
    ]);
    assert.deepEqual(shape(FILES, ...both), ["files", [], [["/srv"], ["/srv/a"]]]);
  });

  it("moves no files where one policy of the host says none", () => {
    const none = [{ files: "none" }, { files: files("/srv") }];
    assert.deepEqual(shape(COMMANDS, ...none), ["commands", [["uptime", "df"]], []]);
    assert.deepEqual(shape(FILES, ...none), ["files", [], []]);
  });

  it("is of a shell what the host's lists leave, and no files that they do not speak of", () => {
    assert.deepEqual(shape(SHELL, { commands: list("df") }), ["commands", [["df"]], []]);
    const both = [{ commands: list("df"), files: files("/srv") }, { commands: list() }];
    assert.deepEqual(shape(SHELL, ...both), ["commands", [["df"], []], [["/srv"]]]);
    assert.deepEqual(shape(SHELL, both[0] ?? {}, { files: "none" }), ["commands", [["df"]], []]);
  });

  it("moves no files by a host's policy that the engagement does not let be moved", () => {
    const without = makeEngagement({ mode: "commands", commands: list("df") });
    assert.deepEqual(shape(without, { files: files("/") }), ["commands", [["df"]], []]);
  });
});

describe("a host's policy of modes", () => {
  it("refuses an engagement of another mode, and says what is allowed", () => {
    const scenario = makeScenario(SHELL);
    scenario.condition.local = [local({ modes: ["commands", "files"] })];
    const decision = decide(scenario);
    assert.ok(decision.outcome === "refuse");
    assert.deepEqual(
      [decision.refusal.code, decision.refusal.detail, decision.refusal.told],
      [
        "mode-not-allowed",
        "modes: not shell",
        "Engagement acme-db gives a shell, and the host's own policy allows only single commands and the moving of files. Ask the host's administrators.",
      ],
    );
    scenario.condition.local = [local({ modes: [] })];
    assert.match((decide(scenario) as typeof decision).refusal.told ?? "", /allows no sessions/);
  });

  it("lets a shell be that another of its policies narrows to commands", () => {
    const scenario = makeScenario(SHELL);
    scenario.condition.local = [local({ modes: ["commands"] }), local({ commands: list("df") })];
    assert.equal(decide(scenario).outcome, "admit");
    const other = makeScenario(FILES);
    other.condition.local = scenario.condition.local;
    assert.equal(decide(other).outcome, "refuse");
  });

  it("has no rules that run as another account, for it gives nothing", () => {
    const commands = { rules: [{ program: "id", runAs: "root" }] };
    assert.throws(() => local({ commands }), /a local policy takes away, it gives no sudo/);
  });

  it("accepts no unsafe login shell where it leaves only commands of a shell", () => {
    const engagement = makeEngagement({ acceptUnsafeShell: true });
    const left = (policy: object) => narrow(engagement, [local(policy)], []).acceptUnsafeShell;
    assert.deepEqual([left({}), left({ commands: list("df") })], [true, false]);
  });

  it("takes the commands that run as others where it takes sudo", () => {
    const commands = CommandGrant.parse({ rules: [{ program: "id", runAs: "root" }, { program: "df" }] });
    const engagement = makeEngagement({ mode: "commands", commands, personal: {} });
    const left = (sudo: string) => narrow(engagement, [local({ sudo })], []).commands?.rules.length;
    assert.deepEqual([left("none"), left("listed"), left("full")], [1, 2, 2]);
  });
});

describe("a running session whose engagement has another mode now", () => {
  const running = (mode: SessionMode | undefined, engagement = SHELL, ...locals: object[]) =>
    mustEnd(
      {
        ...{ sessionId: id("ses", "1"), memberId: MEMBER, engagementId: engagement.id, account: "deploy" },
        ...{ certificateSerial: "42", keyFingerprint: "SHA256:key" },
        ...{ issuer: "https://idp.example", subject: "someone", signedInAt: 1000 },
        ...(mode === undefined ? {} : { mode }),
      },
      makeBundle(engagement),
      new RevocationIndex(),
      NOW,
      locals.map(local),
    );

  it("ends, and says what there is now", () => {
    const verdict = running("shell", COMMANDS);
    assert.deepEqual(verdict, {
      reason: "engagement-ended",
      detail: "the mode is commands now, the session began as shell",
      told: "Engagement acme-db gives single commands on this host now. Log in again for that. Ask dana@company.example.",
    });
    assert.equal(running("shell", FILES)?.reason, "engagement-ended");
    assert.equal(running("commands", FILES)?.reason, "engagement-ended");
    assert.equal(running("shell", SHELL, { commands: list("df") })?.reason, "engagement-ended");
    assert.equal(running("shell", SHELL, { modes: ["files"] })?.detail, "modes: not shell");
  });

  it("goes on where it is the same, or a shell", () => {
    assert.equal(running("commands", COMMANDS), null);
    assert.equal(running("files", SHELL), null);
    assert.equal(running("shell", SHELL), null);
    assert.equal(running(undefined, COMMANDS), null);
  });
});
