import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { checkLocalPolicies } from "@sallyport/agent/policy/local-policy-file.ts";
import { LocalPolicyFiles } from "@sallyport/agent/policy/local-policy-files.ts";
import { DENY_ALL } from "@sallyport/core/policy/local-policy.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { within } from "../support/within.ts";

const GOOD = "version: 1\ndeny:\n  vendors: [acme]\n";
const OTHER = "version: 1\naccounts: [deploy]\n";
const BROKEN = "version: 1\nden:\n  vendors: [acme]\n";

describe("local policies on the disk", () => {
  const directory = temporaryDirectory();
  const policyD = () => directory.file("policy.d");
  const write = (name: string, text: string) => writeFileSync(directory.file(`policy.d/${name}`), text);
  let opened: LocalPolicyFiles[];
  let changes: string[];
  let broken: string[];
  let mended: string[];

  const open = () => {
    const files = new LocalPolicyFiles({
      directory: policyD(),
      lastGood: directory.file("last-good"),
      onChanged: (change) => changes.push(change),
      onBroken: (message) => broken.push(message),
      onMended: (name) => mended.push(name),
    });
    opened.push(files);
    return files;
  };
  const vendors = (files: LocalPolicyFiles) => files.forSessions.map((policy) => policy.deny?.vendors);
  const isClosed = (files: LocalPolicyFiles) => files.forLogins.some((policy) => policy.deny?.all);

  beforeEach(() => {
    [opened, changes, broken, mended] = [[], [], [], []];
    mkdirSync(policyD());
  });
  afterEach(() => {
    for (const files of opened) files.stop();
  });

  it("are none where there is no directory, or nothing in it", () => {
    write("README", "not a policy");
    write(".hidden.yaml", BROKEN);
    assert.deepEqual(open().forLogins, []);
    rmSync(policyD(), { recursive: true });
    assert.deepEqual(open().forLogins, []);
    assert.deepEqual(open().state(), { files: [], errors: [] });
  });

  it("are all in force together, in the order of their names", () => {
    write("20-b.yaml", OTHER);
    write("10-a.yaml", GOOD);
    const files = open();
    assert.deepEqual(files.state(), { files: ["10-a.yaml", "20-b.yaml"], errors: [] });
    assert.deepEqual(
      files.forLogins.map(({ accounts }) => accounts),
      [undefined, ["deploy"]],
    );
    assert.deepEqual(files.forLogins, files.forSessions);
  });

  it("keep what they said when a mistake is made, each for itself, and say where the mistake is", () => {
    write("a.yaml", GOOD);
    write("b.yaml", OTHER);
    const files = open();
    write("a.yaml", BROKEN);
    files.look();
    files.look();
    assert.deepEqual([vendors(files)[0], files.forSessions.length], [["acme"], 2]);
    assert.equal(isClosed(files), false);
    assert.equal(broken.length, 1, "said once");
    assert.match(String(broken[0]), /policy\.d\/a\.yaml:2:1: den: .*What it said before still holds\.$/);
    assert.deepEqual(files.state().errors, broken);
    assert.deepEqual(changes, []);
    write("a.yaml", GOOD);
    files.look();
    assert.deepEqual([mended, files.state().errors], [["a.yaml"], []]);
  });

  it("keep it across a restart of the agent", () => {
    write("a.yaml", GOOD);
    open();
    write("a.yaml", BROKEN);
    const files = open();
    assert.deepEqual(vendors(files), [["acme"]]);
    assert.equal(isClosed(files), false);
    assert.match(String(files.state().errors[0]), /still holds/);
  });

  it("let nobody in while one was never right, and leave sessions alone", () => {
    write("a.yaml", GOOD);
    const files = open();
    write("b.yaml", BROKEN);
    files.look();
    assert.ok(isClosed(files));
    assert.deepEqual(vendors(files), [["acme"]]);
    assert.match(String(broken[0]), /never right.*no contractor is admitted/);
    assert.equal(changes.length, 1);
    assert.ok(isClosed(open()), "nor after a restart");
    rmSync(directory.file("policy.d/b.yaml"));
    files.look();
    assert.equal(isClosed(files), false);
  });

  for (const [what, pattern, breakIt] of [
    ["is somebody else's", /it is not root's/, (path: string) => chownSync(path, 1234, 0)],
    ["may be written by its group", /others may write it/, (path: string) => chmodSync(path, 0o664)],
    ["may be written by everybody", /others may write it/, (path: string) => chmodSync(path, 0o646)],
    ["is a directory", /no regular file/, (path: string) => [rmSync(path), mkdirSync(path)]],
    [
      "leads nowhere",
      /leads nowhere/,
      (path: string) => [rmSync(path), symlinkSync("/nonexistent/policy", path)],
    ],
    ["is huge", /larger than 1 MiB/, (path: string) => writeFileSync(path, `#${"x".repeat(1 << 20)}`)],
    ["is empty", /a\.yaml/, (path: string) => writeFileSync(path, "")],
    ["is no YAML", /a\.yaml/, (path: string) => writeFileSync(path, "{")],
    [
      "would widen",
      /a\.yaml:2:\d+: recording\.input/,
      (path: string) => writeFileSync(path, "version: 1\nrecording: { input: false }\n"),
    ],
  ] as const) {
    it(`are as before when a file ${what}`, () => {
      write("a.yaml", GOOD);
      const files = open();
      breakIt(directory.file("policy.d/a.yaml"));
      files.look();
      assert.match(String(broken[0]), pattern);
      assert.deepEqual([vendors(files), isClosed(files)], [[["acme"]], false]);
      const [checked] = checkLocalPolicies([directory.file("policy.d/a.yaml")]);
      assert.match(String(checked?.error), pattern);
    });
  }

  it("are read behind a symbolic link of root's, and not out of a directory that others may write", () => {
    mkdirSync(directory.file("elsewhere"));
    writeFileSync(directory.file("elsewhere/real"), GOOD);
    symlinkSync(directory.file("elsewhere/real"), directory.file("policy.d/a.yaml"));
    assert.deepEqual(vendors(open()), [["acme"]]);
    chmodSync(directory.file("elsewhere"), 0o777);
    open();
    assert.match(String(broken[0]), /elsewhere: others may write it/);
  });

  it("let nobody in when others may write the directory, and keep what held", () => {
    write("a.yaml", GOOD);
    const files = open();
    chmodSync(policyD(), 0o777);
    write("b.yaml", OTHER);
    files.look();
    assert.ok(isClosed(files));
    assert.deepEqual(vendors(files), [["acme"]]);
    const again = open();
    assert.ok(isClosed(again));
    assert.deepEqual(vendors(again), [["acme"]]);
    assert.deepEqual(again.forLogins.at(-1), DENY_ALL);
  });

  it("that were taken away do not come back with a later mistake", () => {
    write("a.yaml", GOOD);
    const files = open();
    rmSync(directory.file("policy.d/a.yaml"));
    files.look();
    assert.deepEqual(files.forLogins, []);
    assert.match(String(changes[0]), /^gone, and narrows nothing any more: a\.yaml$/);
    write("a.yaml", BROKEN);
    files.look();
    assert.ok(isClosed(files));
    assert.deepEqual(vendors(files), []);
  });

  describe("are watched:", () => {
    const seen = (what: string, is: () => boolean) => within(5000, what, is);

    it("a file that is written, replaced by a rename, and removed", async () => {
      const files = open();
      files.start();
      write("a.yaml", GOOD);
      await seen("the new file", () => vendors(files).length === 1);
      writeFileSync(directory.file("next"), OTHER);
      renameSync(directory.file("next"), directory.file("policy.d/a.yaml"));
      await seen("the replacement", () => files.forSessions[0]?.accounts?.[0] === "deploy");
      rmSync(directory.file("policy.d/a.yaml"));
      await seen("its end", () => files.forSessions.length === 0);
      assert.deepEqual(changes, [
        "new: a.yaml",
        "changed: a.yaml",
        "gone, and narrows nothing any more: a.yaml",
      ]);
    });

    it("a directory that is made later", async () => {
      rmSync(policyD(), { recursive: true });
      const files = open();
      files.start();
      mkdirSync(policyD());
      write("a.yaml", GOOD);
      await seen("the new file", () => vendors(files).length === 1);
      write("b.yaml", OTHER);
      await seen("another one", () => files.forSessions.length === 2);
    });

    it("the file behind a symbolic link", async () => {
      writeFileSync(directory.file("real"), GOOD);
      symlinkSync(directory.file("real"), directory.file("policy.d/a.yaml"));
      const files = open();
      files.start();
      await seen("the watch", () => opened.length === 1);
      writeFileSync(directory.file("real"), OTHER);
      await seen("the change", () => files.forSessions[0]?.accounts?.[0] === "deploy");
    });
  });
});
