import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { UndoList } from "@sallyport/agent/enrolment/undo-list.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("a list of changes that are undone together", () => {
  const directory = temporaryDirectory();

  it("takes back files and directories that it made, and gives back what was there, mode included", () => {
    const [old, made] = [directory.file("old"), directory.file("a/b")];
    writeFileSync(old, "before", { mode: 0o640 });
    const undo = new UndoList();
    undo.makeDirectory(made, 0o700);
    undo.write(`${made}/new`, "new", 0o600);
    undo.write(old, "after", 0o600);
    assert.equal(statSync(made).mode & 0o777, 0o700);
    assert.equal(readFileSync(old, "utf8"), "after");
    undo.all();
    assert.equal(existsSync(directory.file("a")), false);
    assert.equal(readFileSync(old, "utf8"), "before");
    assert.equal(statSync(old).mode & 0o777, 0o640);
  });

  it("leaves a directory that was there, and one that somebody else has used meanwhile", () => {
    const [there, used] = [directory.file("there"), directory.file("used")];
    mkdirSync(there);
    const undo = new UndoList();
    undo.makeDirectory(there, 0o700);
    undo.makeDirectory(used, 0o700);
    undo.write(`${there}/new`, "new", 0o600);
    writeFileSync(`${used}/theirs`, "");
    undo.all();
    assert.ok(existsSync(there) && existsSync(`${used}/theirs`));
    assert.equal(existsSync(`${there}/new`), false);
  });

  it("goes on where a step cannot be undone", () => {
    const undo = new UndoList();
    undo.write(directory.file("first"), "", 0o600);
    undo.add(() => {
      throw new Error("no");
    });
    undo.all();
    assert.equal(existsSync(directory.file("first")), false);
  });
});
