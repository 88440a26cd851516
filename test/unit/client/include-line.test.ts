import assert from "node:assert/strict";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addInclude, hasInclude, includeLine } from "@sallyport/client/ssh-config/include-line.ts";

const LINE = includeLine("/home/alice/.config/sallyport/ssh_config");

describe("the Include line", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "sallyport-include-"));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  it("makes ~/.ssh/config where there is none", () => {
    const path = join(home, ".ssh", "config");
    assert.deepEqual(addInclude(home, LINE), { path, changed: true });
    assert.equal(readFileSync(path, "utf8"), `${LINE}\n`);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(join(home, ".ssh")).mode & 0o777, 0o700);
  });

  it("keeps the rest byte for byte, and comes once", () => {
    const path = join(home, ".ssh", "config");
    mkdirSync(join(home, ".ssh"));
    const before = Buffer.from([0x23, 0xff, 0xfe, 0x0d, 0x0a, 0x48, 0x6f, 0x73, 0x74, 0x20, 0x2a]);
    writeFileSync(path, before, { mode: 0o640 });
    assert.equal(addInclude(home, LINE).changed, true);
    assert.equal(addInclude(home, LINE).changed, false);
    assert.deepEqual(readFileSync(path), Buffer.concat([Buffer.from(`${LINE}\n`), before]));
    assert.equal(statSync(path).mode & 0o777, 0o640);
  });

  it("leaves a symbolic link one", () => {
    mkdirSync(join(home, ".ssh"));
    mkdirSync(join(home, "dotfiles"));
    writeFileSync(join(home, "dotfiles", "ssh"), "Host *\n");
    symlinkSync(join(home, "dotfiles", "ssh"), join(home, ".ssh", "config"));
    addInclude(home, LINE);
    assert.ok(lstatSync(join(home, ".ssh", "config")).isSymbolicLink());
    assert.equal(readFileSync(join(home, "dotfiles", "ssh"), "utf8"), `${LINE}\nHost *\n`);
  });

  it("does not count inside a Host or Match", () => {
    assert.equal(hasInclude(`# mine\n${LINE}\nHost *\n`, LINE), true);
    assert.equal(hasInclude(`Host work\n  ${LINE}\n`, LINE), false);
    assert.equal(hasInclude(`match all\n${LINE}\n`, LINE), false);
    assert.equal(hasInclude("", LINE), false);
  });

  it("has a plain path only", () => {
    assert.throws(() => includeLine("/home/*/ssh_config"), { code: "config-invalid" });
  });
});
