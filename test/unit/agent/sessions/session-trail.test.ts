import assert from "node:assert/strict";
import { SessionTrail } from "@sallyport/agent/sessions/session-trail.ts";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import { HostEvent } from "@sallyport/core/messages/host-link.ts";
import sinon from "sinon";
import type { LiveSession } from "../../../../agent/src/recorders/control-messages.ts";

const id = (prefix: string, letter = "a") => `${prefix}_${letter.repeat(26)}`;
const live = (letter = "a") =>
  ({
    session: id("ses", letter),
    start: {
      account: "deploy",
      member: { id: id("mem"), name: "Alice", issuer: "https://idp.test", subject: "alice" },
      engagement: { id: id("eng"), name: "work" },
      login: { certificateSerial: "42", sourceAddress: "192.0.2.7" },
    },
  }) as LiveSession;
const file = (fields: object): SessionEvent =>
  ({
    ...{ type: "file", protocol: "sftp", operation: "write", path: "/srv/x", target: null },
    ...{ bytes: 12, sha256: "ab".repeat(32), result: "ok", detail: "" },
    ...(fields as object),
  }) as SessionEvent;
const refused = (line: string): SessionEvent =>
  ({
    ...{ type: "command-refused", line, code: "command-not-allowed", detail: "id is not allowed" },
  }) as SessionEvent;

describe("what happens in sessions, for the audit log", () => {
  let events: HostEvent[];
  let clock: sinon.SinonFakeTimers;
  let trail: SessionTrail;
  beforeEach(() => {
    events = [];
    clock = sinon.useFakeTimers({ now: 1_800_000_000_000, toFake: ["Date", "setTimeout", "clearTimeout"] });
    trail = new SessionTrail(Date.now, (event) => events.push(HostEvent.parse(event)));
  });
  afterEach(() => clock.restore());
  const shown = () => events.splice(0).map(({ type, code, detail }) => [type, code, detail]);

  it("is one event for each command, refusal and file, of its session", () => {
    const started = { line: "df -h | sort", rules: ["df", "sort"] };
    trail.note(live(), { ...started, type: "command-started", confined: "landlock" });
    assert.deepEqual(
      [events[0]?.sessionId, events[0]?.memberId, events[0]?.engagementId, events[0]?.certificateSerial],
      [id("ses"), id("mem"), id("eng"), "42"],
    );
    trail.note(live(), refused("id"));
    trail.note(live(), { type: "command-ended", line: "df", exitStatus: 0, signal: null, limit: null });
    trail.note(live(), file({}));
    trail.note(live(), file({ operation: "rename", target: "/srv/y", bytes: null, sha256: null }));
    trail.note(
      live(),
      file({ bytes: null, sha256: null, result: "refused", detail: "only /srv may be written" }),
    );
    trail.note(
      live(),
      file({ operation: "read", bytes: null, sha256: null, result: "failed", detail: "gone" }),
    );
    trail.note(live(), file({ operation: "list" }));
    assert.deepEqual(shown(), [
      ["command-started", null, "landlock, df | sort: df -h | sort"],
      ["command-refused", "command-not-allowed", "id: id is not allowed"],
      ["file-moved", null, `sftp write, 12 bytes, sha256 ${"ab".repeat(32)}: "/srv/x"`],
      ["file-moved", null, 'sftp rename: "/srv/x" to "/srv/y"'],
      ["file-refused", "refused", 'sftp write: "/srv/x": only /srv may be written'],
      ["file-refused", "failed", 'sftp read: "/srv/x": gone'],
    ]);
  });

  it("is printable and bounded, whatever the contractor said", () => {
    trail.note(live(), refused(`\u001b]0;x\u0007\n${"é".repeat(4000)}`));
    const [{ detail } = { detail: "" }] = events;
    assert.ok(detail.length <= 2000);
    assert.doesNotMatch(detail, /\p{Cc}/u);
  });

  it("is a thousand events of a session in a minute, and then how many were left out", () => {
    for (let index = 0; index < 1500; index++) trail.note(live(), file({ path: `/srv/${index}` }));
    trail.note(live(), refused("id"));
    trail.note(live("b"), refused("other session"));
    assert.equal(events.length, 1001);
    events.splice(0);
    clock.tick(60_000);
    assert.deepEqual(shown(), [
      ["file-moved", "left-out", "500 more in a minute are left out here; the recording has them"],
      ["command-refused", "left-out", "1 more in a minute are left out here; the recording has them"],
    ]);
    trail.note(live(), refused("id"));
    assert.equal(events.length, 1);
  });

  it("says what was left out when the session ends before its minute does", () => {
    for (let index = 0; index < 1001; index++) trail.note(live(), refused("id"));
    trail.over(id("ses"));
    assert.deepEqual(shown().at(-1)?.[1], "left-out");
    clock.tick(60_000);
    assert.deepEqual(events, []);
  });
});
