import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SCRIPTS = join(import.meta.dirname, "../../../scripts");
/** What the script itself calls; everything else is "not installed" in a clone that has only these on its PATH. */
const TOOLS = [
  "sh",
  "dirname",
  "find",
  "id",
  "mktemp",
  "rm",
  "df",
  "awk",
  "flock",
  "date",
  "sleep",
  "cat",
  "wc",
];
const MORE_TOOLS = ["grep", "sed", "head", "tail", "uname", "env", "touch"];

const NOBODY = 65534;

describe("scripts/install-missing.sh", () => {
  let clone: string;

  beforeEach(() => {
    clone = mkdtempSync(join(tmpdir(), "install-missing-"));
    chmodSync(clone, 0o777);
    cpSync(SCRIPTS, join(clone, "scripts"), { recursive: true });
    mkdirSync(join(clone, "node_modules"));
    mkdirSync(join(clone, "bin"));
    writeFileSync(join(clone, "package.json"), "{}");
    writeFileSync(
      join(clone, "package-lock.json"),
      '{"packages":{"":{"optionalDependencies":{"extra":"1"}}}}',
    );
    writeFileSync(join(clone, "node_modules/.package-lock.json"), "{}");
  });
  afterEach(() => rmSync(clone, { recursive: true }));

  function run(what: string, options: { path?: string; uid?: number } = {}) {
    const env = { ...process.env, ...(options.path && { PATH: options.path }), TMPDIR: clone };
    const uid = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
    const begun = performance.now();
    const result = spawnSync("/bin/sh", [join(clone, "scripts/install-missing.sh"), what], {
      encoding: "utf8",
      env,
      ...uid,
    });
    return { ...result, took: performance.now() - begun };
  }

  /** A PATH with nothing but the script's own tools and the given programs, each a shell script. */
  function onlyPath(programs: Record<string, string>): string {
    const bin = join(clone, "bin");
    for (const tool of [...TOOLS, ...MORE_TOOLS]) {
      const found = ["/usr/bin", "/bin"].map((directory) => join(directory, tool));
      symlinkSync(found[0] ?? "", join(bin, tool));
    }
    for (const [name, text] of Object.entries(programs))
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return bin;
  }

  const everyProgram = Object.fromEntries(["gcc", "g++", "make", "python3"].map((name) => [name, "exit 0"]));

  it("is silent and quick when nothing is missing", () => {
    for (const what of ["demo", "test", "check", "bench"]) {
      // The best of three: another program may have the processor.
      const [{ status, stdout, stderr, took }] = [run(what), run(what), run(what)].sort(
        (a, b) => a.took - b.took,
      ) as [ReturnType<typeof run>];
      assert.deepEqual({ what, status, stdout, stderr }, { what, status: 0, stdout: "", stderr: "" });
      // Generous: what counts is that nobody waits for it, on a machine that has other work as well.
      assert.ok(took < 1000, `${what} took ${took} ms`);
    }
  });

  it("refuses a word it does not know", () => {
    assert.equal(run("everything").status, 2);
  });

  it("says that tests need root", () => {
    const { status, stderr } = run("test", { uid: NOBODY });
    assert.equal(status, 1);
    assert.match(stderr, /npm run test starts hosts .*: run it as root\.$/m);
  });

  it("says how to install without root", () => {
    const path = onlyPath({ ...everyProgram, "g++": "", "apt-get": "" });
    rmSync(join(clone, "bin/g++"));
    const { status, stderr } = run("check", { path, uid: NOBODY });
    assert.equal(status, 1);
    assert.match(
      stderr,
      /Missing on this machine: g\+\+\. Installing them needs root: .* sudo apt-get install g\+\+$/m,
    );
  });

  it("names what is missing, and the command to get it, when it is not Debian", () => {
    const { status, stderr } = run("check", { path: onlyPath({ gcc: "exit 0" }) });
    assert.equal(status, 1);
    assert.match(stderr, /Missing on this machine: g\+\+ make python3\. They are named as in Debian/);
  });

  it("says that Node is too old", () => {
    utimesSync(join(clone, "node_modules/.package-lock.json"), 1, 1);
    const { status, stderr } = run("check", { path: onlyPath({ ...everyProgram, node: "echo v18.19.0" }) });
    assert.equal(status, 1);
    assert.match(stderr, /Node v18\.19\.0 is too old to install with\. Get Node 20 or newer/);
  });

  it("says that the registry cannot be reached", () => {
    utimesSync(join(clone, "node_modules/.package-lock.json"), 1, 1);
    const npm = "echo npm error code EAI_AGAIN; exit 1";
    const programs = { ...everyProgram, node: '[ "$1" = --version ] && echo v20.0.0', npm };
    const { status, stdout, stderr } = run("check", { path: onlyPath(programs) });
    assert.equal(status, 1);
    assert.match(stdout, /Installing npm packages \(node_modules\) \.\.\./);
    assert.match(stderr, /\| npm error code EAI_AGAIN/);
    assert.match(stderr, /npm's registry did not answer as expected/);
  });

  it("goes on without optional packages that the registry lacks, but not with a stale lock file", () => {
    const npm = (complaint: string) =>
      `case "$1" in ci) echo "npm error ${complaint} from lock file"; exit 1 ;; esac
       mkdir -p node_modules/.bin; : >node_modules/.bin/node; echo "$@" >npm-ran`;
    const node = `[ "$1" = --version ] && { echo v20.0.0; exit; }; exec ${process.execPath} "$@"`;
    const path = onlyPath({ ...everyProgram, node, npm: npm("Missing: extra@1") });
    symlinkSync("/usr/bin/mkdir", join(clone, "bin/mkdir"));
    utimesSync(join(clone, "node_modules/.package-lock.json"), 1, 1);
    assert.match(run("check", { path }).stdout, /without the optional packages that the registry lacks/);
    assert.equal(run("check", { path }).stdout, "");

    utimesSync(join(clone, "node_modules/.package-lock.json"), 1, 1);
    writeFileSync(join(clone, "bin/npm"), `#!/bin/sh\n${npm("Missing: needed@1")}\n`);
    const stale = run("check", { path });
    assert.equal(stale.status, 1);
    assert.match(stale.stderr, /Missing: needed@1/);
  });
});
