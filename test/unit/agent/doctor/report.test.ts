import assert from "node:assert/strict";
import type { ExaminedHost, Finding } from "@sallyport/agent/doctor/check.ts";
import { examine } from "@sallyport/agent/doctor/doctor.ts";
import { exitStatus, reportJson, reportText } from "@sallyport/agent/doctor/report.ts";

const WELL: Finding = { check: "disk", level: "ok", what: "room enough", why: "", fix: "" };
const ODD: Finding = {
  check: "clock",
  level: "warning",
  what: "it is late",
  why: "Time flies.",
  fix: "ntpd",
};
const BAD: Finding = { check: "sshd", level: "error", what: "x\u001b[2J", why: "It matters.", fix: "rm x" };

describe("doctor's report", () => {
  it("ends with 0 where all is well, 3 with warnings alone, 4 with an error", () => {
    assert.equal(exitStatus([WELL]), 0);
    assert.equal(exitStatus([WELL, ODD]), 3);
    assert.equal(exitStatus([BAD, ODD, WELL]), 4);
  });

  it("is one line for what is well, and says of the rest why and how; nothing in it acts on a terminal", () => {
    assert.equal(
      reportText([WELL, ODD, BAD], false),
      `ok       disk   room enough
warning  clock  it is late
         why: Time flies.
         fix: ntpd
error    sshd   x\\u{1b}[2J
         why: It matters.
         fix: rm x

1 error, 1 warning.
`,
    );
    assert.equal(reportText([WELL], false), "ok       disk  room enough\n\nAll is well.\n");
    assert.equal(reportText([WELL], true), "\u001b[2mok       disk  room enough\u001b[0m\n\nAll is well.\n");
  });

  it("is JSON for programs", () => {
    assert.deepEqual(JSON.parse(reportJson([WELL, ODD])), { v: 1, level: "warning", findings: [WELL, ODD] });
  });

  it("goes on when a check fails", async () => {
    const checks = [
      { name: "first", run: () => Promise.reject(new Error("no such thing")) },
      { name: "disk", run: () => Promise.resolve([WELL]) },
    ];
    const [failed, second] = await examine({} as ExaminedHost, checks);
    assert.deepEqual([failed?.check, failed?.level], ["first", "warning"]);
    assert.match(failed?.what ?? "", /no such thing/);
    assert.deepEqual(second, WELL);
  });
});
