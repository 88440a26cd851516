import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sudoForRule } from "@sallyport/agent/accounts/run-as-rules.ts";
import { SudoersFiles, writableBy } from "@sallyport/agent/accounts/sudoers-files.ts";
import { sudoCommandProblem, sudoersText } from "@sallyport/agent/accounts/sudoers-text.ts";
import { CommandRule } from "@sallyport/core/commands/command-rule.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { SudoCommand } from "@sallyport/core/policy/grants.ts";
import { type LightHost, startLightHost } from "../../../demo/light-host.ts";
import { freePort } from "../../fixtures/world.ts";

const UID = 70_123;
const PROGRAM = "/usr/bin/printf";

function command(...argv: string[]): SudoCommand {
  return { program: PROGRAM, arguments: argv, runAs: "root" } as SudoCommand;
}

describe("sudo rules", () => {
  let host: LightHost;
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-test-"));
    host = await startLightHost({
      ...{ name: "web-1", address: "127.0.0.1", sshPort: await freePort(), directory, agent: false },
      accounts: [{ name: "dana", uid: UID }],
    });
  });
  after(async () => {
    await host.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Puts a rule into the host as it is, and asks sudo itself whether this argv may be run. */
  async function install(text: string): Promise<void> {
    const path = "/etc/sudoers.d/sallyport-dana";
    await host.run(["sh", "-c", `umask 0337; rm -f ${path}; cat > ${path}`], { input: text });
    assert.equal((await host.run(["visudo", "-c"])).status, 0, text);
  }
  const may = async (...argv: string[]) =>
    (await host.run(["sudo", "-l", "-U", "dana", PROGRAM, ...argv])).status === 0;

  const exact: [name: string, listed: string[], nearMisses: string[][]][] = [
    ["a star", ["*"], [["x"], [""], ["a b"], []]],
    ["a question mark", ["a?"], [["ab"], ["a"]]],
    ["brackets", ["[ab]"], [["a"], ["b"]]],
    ["an exclamation mark", ["!x"], [["x"], ["y"]]],
    ["a negated set", ["[!a]"], [["b"], ["!"]]],
    ["a comma", ["a,b"], [["a"], ["b"], ["a\\,b"]]],
    ["a colon and an equals sign", ["a:b=c"], [["a"], ["a:b"]]],
    ["a backslash", ["a\\b"], [["ab"], ["a\\\\b"]]],
    ["a backslash at the end", ["a\\"], [["a"], ["a\\\\"]]],
    ["a backslash before a star", ["\\*"], [["*"], ["x"], ["\\x"]]],
    ["double quotes", ['"a"'], [["a"]]],
    ["two double quotes, which mean 'no arguments' in sudoers", ['""'], [[], [""], ["x"]]],
    ["single quotes", ["'a'"], [["a"]]],
    ["a leading dash", ["-rf"], [["-r"], ["-rfx"], ["rf"]]],
    ["a hash", ["#a"], [["a"], [], ["x"]]],
    ["a regular expression", ["^.*$"], [["x"], ["^x$"], []]],
    ["a dollar and parentheses", ["$(id)"], [["id"], ["x"]]],
    ["ALL", ["ALL"], [["x"], ["all"]]],
    ["a tag", ["NOPASSWD:"], [["x"], ["NOPASSWD"]]],
    ["letters beyond ASCII", ["ü*"], [["üx"], ["u*"]]],
    [
      "several",
      ["a*", "-b", "c,d"],
      [
        ["a*", "-b"],
        ["a*", "-b", "c,d", "e"],
        ["ax", "-b", "c,d"],
      ],
    ],
    ["none", [], [["x"], [""]]],
  ];
  for (const [name, listed, nearMisses] of exact) {
    it(`let exactly the listed arguments through: ${name}`, async () => {
      await install(sudoersText(UID, [{ sudo: "listed", commands: [command(...listed)] }]));
      assert.ok(await may(...listed), "what is listed");
      for (const miss of nearMisses) assert.equal(await may(...miss), false, JSON.stringify(miss));
    });
  }

  it("would let more through if nothing were escaped", async () => {
    await install(`#${UID} ALL=(root) NOPASSWD: ${PROGRAM} *\n`);
    assert.ok(await may("x"));
  });

  it("leave arguments open where the policy does, and give all where it gives all", async () => {
    const open = { program: PROGRAM, arguments: null, runAs: "root" } as SudoCommand;
    await install(sudoersText(UID, [{ sudo: "listed", commands: [open] }]));
    assert.ok(await may("x", "y"));
    assert.equal((await host.run(["sudo", "-l", "-U", "dana", "/usr/bin/id"])).status, 1);
    await install(sudoersText(UID, [{ sudo: "full" }]));
    assert.equal((await host.run(["sudo", "-l", "-U", "dana", "/usr/bin/id"])).status, 0);
  });

  it("let the command run as whom it says, and as nobody else", async () => {
    await install(
      sudoersText(UID, [{ sudo: "listed", commands: [{ ...command("x"), runAs: "daemon" as never }] }]),
    );
    const as = (user: string) => host.run(["sudo", "-n", "-u", user, PROGRAM, "x"], { uid: "dana" });
    assert.equal((await as("daemon")).stdout, "x");
    assert.notEqual((await as("root")).status, 0);
  });

  it("of commands that run as others are those commands, or the program, and nothing under no_new_privs", async () => {
    const rule = (args: unknown[], program = "printf") =>
      sudoForRule(CommandRule.parse({ program, arguments: args, runAs: "daemon" }))?.commands ?? [];
    const as = (...argv: string[]) =>
      host.run(["sudo", "-n", "-u", "daemon", "--", ...argv], { uid: "dana" });
    await install(sudoersText(UID, [{ sudo: "listed", commands: rule([{ oneOf: ["a*", "b"] }]) }]));
    assert.deepEqual(
      [(await as(PROGRAM, "a*")).stdout, (await as(PROGRAM, "b")).stdout, (await as(PROGRAM, "ax")).status],
      ["a*", "b", 1],
    );
    await install(sudoersText(UID, [{ sudo: "listed", commands: rule([{ matches: "v[0-9]" }]) }]));
    assert.deepEqual([(await as(PROGRAM, "x")).stdout, (await as("/usr/bin/id")).status], ["x", 1]);
    // What else a session in mode commands starts has this set, and all that it starts inherits it.
    const held = ["setpriv", "--no-new-privs", "sudo", "-n", "-u", "daemon", "--", PROGRAM, "x"];
    const { status, stderr } = await host.run(held, { uid: "dana" });
    assert.equal(status, 1);
    assert.match(stderr, /no new privileges/);
  });

  it("are of a uid, so that an account of the same name gets nothing", async () => {
    await install(sudoersText(UID + 1, [{ sudo: "full" }]));
    assert.equal((await host.run(["sudo", "-l", "-U", "dana", "/usr/bin/id"])).status, 1);
  });

  it("are not made for what cannot mean just itself", () => {
    const bad: SudoCommand[] = [
      command("a b"),
      command("a\nb ALL=(ALL) ALL"),
      command("a\u00a0b"),
      { ...command(), program: "/usr/bin/" },
      { ...command(), program: "/usr/bin/a#b" },
      { ...command(), program: "/usr/bin/../../tmp/x" },
      { ...command(), program: '/usr/bin/"' },
      { ...command(), program: "/" },
      { ...command(), program: "/usr/bin/ü" },
    ];
    for (const one of bad) {
      assert.notEqual(sudoCommandProblem(one), null, JSON.stringify(one));
      assert.throws(() => sudoersText(UID, [{ sudo: "listed", commands: [one] }]), TypeError);
    }
    assert.equal(sudoCommandProblem(command("-x")), null);
    assert.equal(sudoersText(UID, [{ sudo: "none" }]), "");
  });
});

describe("files of sudo rules", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("are not put in place when visudo refuses them", async () => {
    const files = new SudoersFiles(directory);
    await assert.rejects(files.set("dana", "this is not sudoers\n"), (error) =>
      isSallyportError(error, "config-invalid"),
    );
    assert.deepEqual(files.keepOnly(new Set()), []);
  });

  it("are removed with the accounts they were for", async () => {
    const files = new SudoersFiles(directory);
    await files.set("dana", `#${UID} ALL=(ALL) NOPASSWD: ALL\n`);
    writeFileSync(join(directory, "somebody-elses"), "");
    assert.deepEqual(files.keepOnly(new Set(["dana"])), []);
    assert.deepEqual(files.keepOnly(new Set()), ["dana"]);
    assert.deepEqual(files.keepOnly(new Set()), []);
  });

  it("are not made for programs that somebody else than root can change", () => {
    assert.equal(writableBy("/usr/bin/id"), null);
    assert.equal(writableBy("/usr/bin/not-there-yet"), null);
    assert.match(writableBy("/tmp/x") ?? "", /can be written by others/);
    const own = join(directory, "own");
    mkdirSync(own);
    chownSync(own, UID, UID);
    assert.match(writableBy(join(own, "x")) ?? "", /is not root's|can be written/);
    chownSync(own, 0, 0);
    chmodSync(own, 0o775);
    assert.match(writableBy(join(own, "x")) ?? "", /can be written by others/);
  });
});
