import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareDirectory } from "../../../demo/state-directory.ts";

describe("the demo's directory", () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "demo-directory-"));
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  it("is made, closed to others", () => {
    const directory = join(parent, "a/b");
    prepareDirectory(directory);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(Number(readFileSync(join(directory, "demo.pid"), "utf8")), process.pid);
  });

  it("is emptied of an earlier demo", () => {
    prepareDirectory(parent);
    mkdirSync(join(parent, "data"));
    writeFileSync(join(parent, "data/x"), "");
    writeFileSync(join(parent, "demo.pid"), "4194305\n");
    prepareDirectory(parent);
    assert.ok(!existsSync(join(parent, "data")));
  });

  it("is left alone when it is somebody else's", () => {
    writeFileSync(join(parent, "thesis.tex"), "");
    assert.throws(() => prepareDirectory(parent), /holds something other than a demo; nothing was touched/);
    assert.ok(existsSync(join(parent, "thesis.tex")));
  });
});
