import assert from "node:assert/strict";
import { parseOptions, UsageError } from "../../../demo/options.ts";

describe("the demo's options", () => {
  it("have defaults", () => {
    assert.deepEqual(parseOptions([], "/clone"), { directory: "/clone/.demo", port: 7300 });
  });

  it("take a directory, relative or absolute, and a port", () => {
    assert.deepEqual(parseOptions(["--dir", "a/b", "--port", "8000"], "/clone"), {
      directory: "/clone/a/b",
      port: 8000,
    });
    assert.deepEqual(parseOptions(["--dir=/tmp/x"], "/clone"), { directory: "/tmp/x", port: 7300 });
  });

  it("tell about themselves", () => {
    assert.equal(parseOptions(["--help"], "/"), "help");
    assert.equal(parseOptions(["-h"], "/"), "help");
  });

  for (const argv of [
    ["--port", "0"],
    ["--port", "65534"],
    ["--port", "7300x"],
    ["--port", "1e3"],
    ["--port=-1"],
    ["--port"],
    ["--dir="],
    ["--nonsense"],
    ["word"],
  ]) {
    it(`refuse ${argv.join(" ")}`, () => {
      assert.throws(() => parseOptions(argv, "/"), UsageError);
    });
  }
});
