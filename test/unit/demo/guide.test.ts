import assert from "node:assert/strict";
import { demoFileText } from "../../../demo/files.ts";
import { guideText } from "../../../demo/guide.ts";
import { engagements, PEOPLE } from "../../../demo/seed.ts";

const ADDRESSES = {
  console: "http://127.0.0.1:7300",
  issuer: "http://127.0.0.1:7301",
  hosts: [{ name: "web-1", address: "127.0.0.1", port: 7302 }],
};

describe("what the demo tells", () => {
  it("begins demo.json with a pair that works", () => {
    const demo = JSON.parse(demoFileText(ADDRESSES, PEOPLE, engagements(new Date("2026-11-01T12:00:00Z"))));
    assert.deepEqual(Object.keys(demo), ["console", "issuer", "hosts", "users", "engagements"]);
    const contractor = demo.users.find((user: { role: string }) => user.role === "contractor");
    assert.deepEqual(Object.keys(contractor), ["name", "password", "role", "note"]);
    const running = demo.engagements.filter(
      (engagement: { state: string }) => engagement.state === "running",
    );
    assert.deepEqual(running, [
      {
        name: "web-maintenance",
        state: "running",
        members: ["alice", "bob"],
        hosts: ["web-1"],
        accounts: ["deploy"],
        start: "2026-10-31T12:00:00.000Z",
        end: "2026-11-15T12:00:00.000Z",
      },
    ]);
    assert.equal(contractor.name, "alice");
    assert.equal(demo.hosts[0].name, "web-1");
  });

  it("quotes paths that a shell would take apart", () => {
    const guide = guideText(
      { directory: "/tmp/my demo", clone: "/srv/it's", browser: true },
      ADDRESSES,
      PEOPLE,
    );
    assert.match(guide, /cd '\/srv\/it'\\''s'\n/);
    assert.match(guide, /export SALLYPORT_HOME='\/tmp\/my demo\/alice'\n/);
    assert.match(guide, /Add --no-browser/);
  });

  it("offers a typing browser where there is none", () => {
    const guide = guideText({ directory: "/d", clone: "/c", browser: false }, ADDRESSES, PEOPLE);
    assert.match(
      guide,
      /export BROWSER=\/d\/browser\/alice\n {4}npx sallyport login --server http:\/\/127\.0\.0\.1:7300\n/,
    );
  });
});
