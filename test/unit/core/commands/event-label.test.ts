import assert from "node:assert/strict";
import { eventLabel, eventLabelOf } from "@sallyport/core/commands/event-label.ts";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";

const ended = { type: "command-ended", line: "id", exitStatus: 0, signal: null, limit: null } as const;
const file: Extract<SessionEvent, { type: "file" }> = {
  type: "file",
  protocol: "sftp",
  operation: "write",
  path: "/srv/a",
  target: null,
  bytes: 12,
  sha256: null,
  result: "ok",
  detail: "",
};

describe("the line for an event", () => {
  const rows: [SessionEvent, string | null][] = [
    [{ type: "command-started", line: "id -u", rules: ["id"], confined: "landlock" }, "$ id -u"],
    [ended, null],
    [{ ...ended, exitStatus: 3 }, "ended with status 3"],
    [{ ...ended, exitStatus: null, signal: "SIGKILL" }, "ended by SIGKILL"],
    [{ ...ended, exitStatus: null, signal: "SIGTERM", limit: "time" }, "ended by its time limit"],
    [
      { type: "command-refused", line: "id\u001b[2J", code: "x", detail: "No." },
      "refused: id\\u{1b}[2J (No.)",
    ],
    [{ type: "command-refused", line: "", code: "x", detail: "No." }, "refused: a login (No.)"],
    [file, "sftp write /srv/a (12 bytes)"],
    [
      { ...file, operation: "rename", target: "/srv/b\n", bytes: null, result: "refused", detail: "No." },
      "sftp rename /srv/a -> /srv/b\\u{a} refused: No.",
    ],
  ];
  for (const [event, label] of rows) {
    it(`says ${label}`, () => {
      assert.equal(eventLabel(event), label);
      assert.equal(eventLabelOf(Buffer.from(JSON.stringify(event))), label);
    });
  }

  it("is none for what is no event, or one of a later version", () => {
    for (const text of ["", "{", "[]", '{"type":"later"}', "\xff"])
      assert.equal(eventLabelOf(Buffer.from(text, "latin1")), null);
  });
});
