import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { hostFiles, programProblem } from "@sallyport/agent/recorder/host-files.ts";

describe("the host's files, for decisions", () => {
  let directory: string;
  beforeEach(() => {
    // Not under /tmp, which anybody may write to: what is in there is nobody's program.
    directory = mkdtempSync("/root/host-files-");
    chmodSync(directory, 0o755);
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const program = (name: string) => {
    const path = join(directory, name);
    copyFileSync("/bin/true", path);
    chmodSync(path, 0o755);
    return path;
  };

  it("finds a program by its name on our path, or by its own", () => {
    assert.match(hostFiles.program("true") ?? "", /^\/(usr\/)?bin\/true$/);
    const own = program("own");
    assert.equal(hostFiles.program(own), own);
    assert.equal(programProblem(own), "");
    symlinkSync(own, join(directory, "link"));
    assert.equal(hostFiles.program(join(directory, "link")), join(directory, "link"));
  });

  const spoilt: [what: string, spoil: (path: string) => void][] = [
    ["another owner", (path) => chownSync(path, 1234, 0)],
    ["a group that may write", (path) => chmodSync(path, 0o775)],
    ["nobody who may execute it", (path) => chmodSync(path, 0o644)],
    ["a directory of another owner", () => chownSync(directory, 1234, 0)],
    ["a directory that all may write to", () => chmodSync(directory, 0o777)],
    ["a directory that a group may write to", () => chmodSync(directory, 0o775)],
  ];
  for (const [what, spoil] of spoilt) {
    it(`runs no program with ${what}`, () => {
      const path = program("spoilt");
      symlinkSync(path, join(directory, "link"));
      spoil(path);
      assert.equal(hostFiles.program(path), null);
      assert.equal(hostFiles.program(join(directory, "link")), null);
      assert.match(programProblem(path), /administrators/);
    });
  }

  it("runs no program by a link that others than root could turn", () => {
    const place = join(directory, "place");
    const link = join(place, "deploy");
    mkdirSync(place);
    symlinkSync("/bin/true", link);
    assert.equal(hostFiles.program(link), link);
    chownSync(place, 1234, 0);
    assert.equal(hostFiles.program(link), null, "who owns the directory puts another link there");
    symlinkSync(place, join(directory, "to"));
    assert.equal(hostFiles.program(join(directory, "to/deploy")), null, "nor by a link to it");
    chownSync(place, 0, 0);
    assert.equal(hostFiles.program(join(directory, "to/deploy")), join(directory, "to/deploy"));
    lchownSync(link, 1234, 0);
    assert.equal(hostFiles.program(link), null, "nor by one that another has made");
    assert.match(programProblem(link), /administrators/);
  });

  it("runs no directory, and nothing that is not there", () => {
    assert.equal(hostFiles.program(directory), null);
    assert.equal(hostFiles.program(join(directory, "none")), null);
    assert.equal(hostFiles.program("no-such-program-anywhere"), null);
    assert.match(programProblem("no-such-program-anywhere"), /not installed/);
  });

  it("follows symbolic links to where a path leads, also to what is not there yet", () => {
    mkdirSync(join(directory, "real"));
    writeFileSync(join(directory, "real/file"), "");
    symlinkSync("real", join(directory, "link"));
    assert.equal(hostFiles.real(join(directory, "link/file")), join(directory, "real/file"));
    assert.equal(hostFiles.real(join(directory, "link/new")), join(directory, "real/new"));
    assert.equal(hostFiles.real(join(directory, "link/../link/./file")), join(directory, "real/file"));
    symlinkSync("/etc/new", join(directory, "dangling"));
    assert.notEqual(hostFiles.real(join(directory, "dangling")), join(directory, "dangling"));
    assert.equal(hostFiles.real("/proc/self/cwd/x"), null, "it is another place for each process");
  });
});
