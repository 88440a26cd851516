import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { confineCommand, confineFiles, landlockAbi } from "@sallyport/agent/confinement/confine.ts";
import { executables } from "@sallyport/agent/confinement/executables.ts";
import { CommandRule } from "@sallyport/core/commands/command-rule.ts";
import { FileGrant } from "@sallyport/core/files/file-grant.ts";
import { type Asked, confined } from "../support/confined.ts";
import { buildShim, type SanitizedShim } from "../support/shim.ts";
import { stage as free, ShimStage } from "../support/shim-run.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const LOADER = executables("/bin/sh")[1] ?? "";

describe("what the kernel holds of a command", () => {
  const directory = temporaryDirectory("suite");
  let shim: SanitizedShim;
  let stage: ShimStage;
  before(() => {
    mkdirSync(directory.file("run"));
    shim = buildShim(directory.file("run"), directory.file("shim"));
    for (const name of ["work", "other", "work/inner"]) mkdirSync(directory.file(name));
    for (const name of ["work", "other"]) writeFileSync(directory.file(`${name}/file`), `${name}\n`);
  });
  beforeEach(async () => {
    stage = await ShimStage.open(shim, directory.file("run"));
  });
  afterEach(async () => {
    await stage.close();
    assert.equal(shim.findings(), "");
  });

  /** A command without confinement and with it. */
  const both = async (argv: [string, ...string[]], asked?: Asked) => ({
    without: await stage.carry(free(argv[0], ...argv)),
    within: await stage.carry(confined(argv, asked)),
  });
  const refused = async (argv: [string, ...string[]], asked?: Asked, proof = /^uid=/m) => {
    const { without, within } = await both(argv, asked);
    assert.match(without.stdout, proof, `the attack works: ${without.stderr}`);
    assert.doesNotMatch(within.stdout, proof);
    assert.match(within.stderr, /denied|not permitted|Permission/i);
  };
  const allowed = async (argv: [string, ...string[]], asked: Asked, proof: RegExp) => {
    const { status, stdout, stderr } = await stage.carry(confined(argv, asked));
    assert.equal(status, 0, stderr);
    assert.match(stdout, proof);
  };

  describe("executing", () => {
    it("is of the program alone", async () => {
      await refused(["/usr/bin/find", "/etc/hostname", "-exec", "/bin/sh", "-c", "id", ";"]);
      await refused(["/usr/bin/find", "/etc/hostname", "-exec", "/usr/bin/id", ";"]);
      await refused(["/usr/bin/env", "/usr/bin/id"]);
    });

    it("is of what its rule adds, and of its interpreters", async () => {
      const id = { confine: { execute: ["/usr/bin/id"] } };
      await allowed(["/usr/bin/find", "/etc/hostname", "-exec", "/usr/bin/id", ";"], id, /^uid=/);
      const script = directory.file("script");
      writeFileSync(script, "#!/bin/sh -e\necho script; exec id\n", { mode: 0o755 });
      const { status, stdout } = await stage.carry(confined([script]));
      assert.deepEqual([status, stdout], [126, "script\n"]);
      await allowed([script], id, /^script\nuid=/);
    });

    it("is no way round by the dynamic loader", async () => {
      for (const program of ["/bin/sh", "/usr/bin/dash"]) await refused([LOADER, program, "-c", "id"]);
      await refused([LOADER, "/usr/bin/id"]);
      await refused(["/usr/bin/env", LOADER, "/usr/bin/id"], { confine: { read: [] } });
      await refused(["/usr/bin/env", LOADER, "/usr/bin/id"], { under: ["/var/log"] });
      await refused(["/usr/bin/env", LOADER, "/usr/lib/git-core/git", "--version"], {}, /git version/);
      await refused(["/usr/bin/env", LOADER, "/proc/self/root/usr/bin/id"]);
      symlinkSync("/usr/bin/id", directory.file("link"));
      await refused(["/usr/bin/env", LOADER, directory.file("link")]);
    });

    it("by the dynamic loader is open where a rule lets programs be read, or one lies elsewhere", async () => {
      await allowed(["/usr/bin/env", LOADER, "/usr/bin/id"], { confine: { read: "any" } }, /^uid=/);
      copyFileSync("/usr/bin/id", directory.file("work/file-of-a-home"));
      const copy = directory.file("work/file-of-a-home");
      await allowed(["/usr/bin/env", LOADER, copy], {}, /^uid=/);
      await refused(["/usr/bin/env", LOADER, copy], { confine: { read: [] } });
    });

    it("of what an interpreter is sent, from an anonymous file, is open, in the same confinement", async () => {
      const code = [
        "import os, sys",
        "f = os.memfd_create('x')",
        "os.write(f, sys.stdin.buffer.read())",
        "os.execv(f'/proc/self/fd/{f}', ['sh', '-c', 'echo in a shell; /usr/bin/id; echo x >/tmp/not-written'])",
      ].join("\n");
      const command = confined(["/usr/bin/python3", "-c", code]);
      const { stdout, stderr } = await stage.carry(command, { input: readFileSync("/bin/sh") });
      assert.equal(stdout, "in a shell\n");
      assert.match(stderr, /id: Permission denied[\s\S]*not-written: Permission denied/);
    });

    it("gains nothing from a file that is put in the place of another", async () => {
      const [place, target] = [directory.file("tool"), directory.file("target")];
      copyFileSync("/usr/bin/true", target);
      symlinkSync(target, place);
      const command = confined([place]);
      execFileSync("ln", ["-sfn", "/usr/bin/id", place]);
      const { status, stderr } = await stage.carry(command);
      assert.equal(status, 254);
      assert.match(stderr, /Permission denied/);
    });
  });

  describe("writing", () => {
    it("is where the rule says, whatever it is", async () => {
      const asked = { confine: { write: [directory.file("work")] } };
      const [inside, outside] = [directory.file("work"), directory.file("other")];
      const kinds: ((where: string) => [string, ...string[]])[] = [
        (where) => ["/usr/bin/touch", `${where}/touched`],
        (where) => ["/usr/bin/mkdir", `${where}/made`],
        (where) => ["/usr/bin/mkfifo", `${where}/fifo`],
        (where) => ["/usr/bin/ln", "-s", "/etc", `${where}/etc`],
        (where) => ["/usr/bin/ln", `${where}/new`, `${where}/hard`],
        (where) => ["/usr/bin/mv", `${where}/new`, `${where}/moved`],
        (where) => ["/usr/bin/truncate", "-s", "1", `${where}/file`],
        (where) => ["/usr/bin/rm", `${where}/file`],
        (where) => ["/usr/bin/rmdir", `${where}/directory`],
      ];
      for (const where of [inside, outside]) {
        writeFileSync(`${where}/new`, "");
        mkdirSync(`${where}/directory`);
      }
      for (const kind of kinds) {
        const done = await stage.carry(confined(kind(inside), asked));
        assert.equal(done.status, 0, done.stderr);
        const { status, stderr } = await stage.carry(confined(kind(outside), asked));
        assert.equal(status, 1, kind(outside).join(" "));
        assert.match(stderr, /denied/);
      }
      assert.equal(readFileSync(`${outside}/file`, "utf8"), "other\n");
    });

    it("is of one file where the rule names one, and of devices that hold nothing", async () => {
      const file = directory.file("work/inner/file");
      writeFileSync(file, "");
      const asked = { confine: { write: [file] } };
      const tee = async (path: string) =>
        (await stage.carry(confined(["/usr/bin/tee", path], asked), { input: "text" })).status;
      assert.deepEqual([await tee(file), await tee(`${file}2`), await tee("/dev/null")], [0, 1, 0]);
      assert.equal(readFileSync(file, "utf8"), "text");
    });

    it("does not follow a link that a directory was replaced by", async () => {
      const place = directory.file("work/replaced");
      mkdirSync(place);
      const command = confined(["/usr/bin/touch", directory.file("other/through")], {
        confine: { write: [place] },
      });
      execFileSync("sh", ["-c", `rmdir ${place} && ln -s ${directory.file("other")} ${place}`]);
      assert.equal((await stage.carry(command)).status, 1);
    });
  });

  describe("reading", () => {
    const reads = async (path: string, asked: Asked) =>
      (await stage.carry(confined(["/bin/cat", path], asked))).status;

    it("is of everything but programs, where a rule does not say", async () => {
      const file = directory.file("other/file");
      for (const path of ["/etc/hostname", "/etc/passwd", "/proc/self/status", "/dev/null", file])
        assert.equal(await reads(path, {}), 0, path);
      for (const path of ["/bin/sh", "/usr/bin/id", "/usr/sbin/nologin"]) {
        assert.equal((await stage.carry(free("/bin/cat", "cat", path))).status, 0, path);
        assert.equal(await reads(path, {}), 1, path);
      }
      assert.equal(await reads("/usr/bin/id", { confine: { read: "any" } }), 0);
    });

    it("is of the system, of the directories of arguments and of what is listed, where a rule says", async () => {
      const work = directory.file("work");
      writeFileSync(`${work}/file`, "work\n");
      for (const asked of [
        { under: [work] },
        { confine: { read: [work] } },
        { confine: { read: [] }, directory: work },
      ]) {
        assert.equal(await reads(`${work}/file`, asked), 0);
        assert.equal(await reads("/etc/hostname", asked), 0);
        assert.equal(await reads(directory.file("other/file"), asked), 1);
        assert.equal(await reads("/var/log/dpkg.log", asked), 1);
      }
    });

    it("keeps names, sizes and times in sight", async () => {
      const asked = { under: [directory.file("work")] };
      await allowed(["/usr/bin/stat", "-c", "%s", directory.file("other/file")], asked, /^6$/m);
      await allowed(["/bin/ls", "/usr/bin"], asked, /^env$/m);
    });
  });

  it("is not other processes: signals are kept in", async () => {
    const asked = { abi: landlockAbi() };
    const other = `${process.pid}`;
    assert.equal((await stage.carry(free("/bin/kill", "kill", "-0", other))).status, 0);
    assert.equal((await stage.carry(confined(["/bin/kill", "-0", other], asked))).status, 1);
  });

  it("is said for every version of the interface in bits that it knows", async () => {
    const known = [0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff, 0xffff, 0xffff];
    for (let abi = 1; abi <= landlockAbi(); abi++) {
      const { layers } = confined(["/bin/true"], { abi });
      assert.deepEqual(
        layers.map(({ handledFs }) => handledFs),
        [BigInt(known[abi] ?? 0xffff)],
      );
      assert.equal(layers[0]?.scoped, abi >= 6 ? 3n : 0n);
      await allowed(["/bin/cat", "/etc/hostname"], { abi }, /./);
      await refused(["/usr/bin/env", "/usr/bin/id"], { abi });
    }
    assert.deepEqual(confined(["/bin/true"], { abi: 0 }).layers, []);
  });

  it("is nothing where it runs by sudo", () => {
    const rule = CommandRule.parse({ program: "/bin/true", runAs: "root" });
    const where = { name: "true", program: "/bin/true", argv: ["true"], directory: "/", under: [] };
    const limits = { timeLimit: null, outputLimit: null, confinement: "available" } as const;
    const decision = { outcome: "allow", rule, ...where, ...limits } as const;
    const nothing = { layers: [], noNewPrivileges: false, confined: "sudo" };
    assert.deepEqual(confineCommand({ decision, abi: 7, terminal: null }), nothing);
  });

  it("is of a transfer its directories, and no other program", async () => {
    const home = directory.file("home");
    for (const name of ["", "/in", "/out"]) mkdirSync(home + name);
    for (const name of ["in", "out"]) writeFileSync(`${home}/${name}/file`, "");
    const grant = FileGrant.parse({
      directories: [{ path: "~/in", access: "write" }, { path: `${home}/out` }],
    });
    const transfer = async (...argv: [string, ...string[]]) => {
      const confinement = confineFiles({ program: argv[0], grant, home, abi: landlockAbi() });
      const { status } = await stage.carry({ ...free(argv[0], ...argv), ...confinement });
      return status;
    };
    assert.equal(await transfer("/bin/cat", `${home}/out/file`), 0);
    assert.equal(await transfer("/bin/cat", `${home}/in/file`), 1);
    assert.equal(await transfer("/usr/bin/touch", `${home}/in/new`), 0);
    assert.equal(await transfer("/usr/bin/touch", `${home}/out/new`), 1);
    assert.equal(await transfer("/bin/cat", "/etc/hostname"), 1);
    assert.equal(await transfer("/usr/bin/env", "/usr/bin/id"), 126);
    assert.equal(await transfer("/usr/bin/stat", "-c", "%U", "/etc"), 0);
  });

  it("is found for scripts of scripts, for env, and for what is no program", () => {
    const file = (name: string, text: string) => {
      writeFileSync(directory.file(name), text);
      chmodSync(directory.file(name), 0o755);
      return directory.file(name);
    };
    const inner = file("inner", "#!/usr/bin/env -S A=b awk -f\n");
    const outer = file("outer", `#!${inner} -x\n`);
    const found = executables(outer);
    for (const path of [outer, inner, LOADER, ...executables("/usr/bin/env"), ...executables("/usr/bin/awk")])
      assert.ok(found.includes(path), path);
    const loop = file("loop", `#!${directory.file("loop")}\n`);
    assert.deepEqual(executables(loop), [loop]);
    for (const text of [
      "",
      "#!",
      "#!\n",
      "#! relative\n",
      "\x7fELF",
      `\x7fELF\x02\x01${"\xff".repeat(200)}`,
    ]) {
      const odd = file("odd", text);
      assert.deepEqual(executables(odd), [odd]);
    }
    assert.deepEqual(executables("/not/there"), []);
  });
});
