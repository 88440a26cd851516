import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CI = join(import.meta.dirname, "../../../.ci/run");

describe(".ci/run", () => {
  let clone: string;

  before(() => {
    clone = mkdtempSync(join(tmpdir(), "ci-run-"));
    mkdirSync(join(clone, ".ci"));
    mkdirSync(join(clone, "bin"));
    cpSync(CI, join(clone, ".ci/run"));
  });
  after(() => rmSync(clone, { recursive: true }));

  /** Runs it with an npm that prints and returns what it is told. */
  function run(test: { says: string; status: number }, check: { status: number }) {
    const npm = `#!/bin/sh
case "$*" in
  test) printf '%b' '${test.says}'; exit ${test.status} ;;
  "run check") exit ${check.status} ;;
  *) echo "unexpected: npm $*"; exit 99 ;;
esac
`;
    writeFileSync(join(clone, "bin/npm"), npm, { mode: 0o755 });
    const env = { ...process.env, PATH: `${join(clone, "bin")}:${process.env.PATH}` };
    const result = spawnSync("bash", [join(clone, ".ci/run")], { encoding: "utf8", env });
    return { status: result.status, last: result.stdout.trimEnd().split("\n").at(-1) };
  }

  const rows = [
    ["all is well", "\\n  12 passing (3s)\\n", 0, 0, "13 passed, 0 failed", 0],
    [
      "colours are on",
      "\\033[92m \\033[0m\\033[32m 12 passing\\033[0m (3s)\\n",
      0,
      0,
      "13 passed, 0 failed",
      0,
    ],
    ["tests fail", "  10 passing (1m)\\n  2 failing\\n\\n  1) a:\\n", 2, 0, "11 passed, 2 failed", 1],
    ["the check fails", "  12 passing (3s)\\n", 0, 1, "12 passed, 1 failed", 1],
    ["both fail", "  1 passing (3s)\\n  3 failing\\n", 3, 1, "1 passed, 4 failed", 1],
    ["the tests could not start", "no such file\\n", 1, 0, "1 passed, 1 failed", 1],
    ["only the coverage is too low", "  12 passing (3s)\\n", 1, 0, "13 passed, 1 failed", 1],
    [
      "a test prints a failure that was none",
      "  2 failing\\n  5 passing (1s)\\n",
      0,
      0,
      "6 passed, 0 failed",
      0,
    ],
    [
      "a test prints a summary of its own",
      "  99 passing\\n  2 failing\\n  5 passing (1s)\\n",
      2,
      0,
      "6 passed, 2 failed",
      1,
    ],
  ] as const;
  for (const [title, says, testStatus, checkStatus, last, status] of rows) {
    it(`counts when ${title}`, () => {
      assert.deepEqual(run({ says, status: testStatus }, { status: checkStatus }), { status, last });
    });
  }
});
