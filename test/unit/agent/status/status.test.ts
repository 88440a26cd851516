import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { askStatus } from "@sallyport/agent/status/ask-status.ts";
import { serveStatus } from "@sallyport/agent/status/status-server.ts";
import { statusText } from "@sallyport/agent/status/status-text.ts";
import { bytesText, spanText } from "@sallyport/agent/status/units.ts";
import { STATUS } from "../support/status.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const NOW = Date.parse("2027-01-15T08:00:00Z") / 1000;

describe("status", () => {
  const directory = temporaryDirectory();
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  const answering = async (answer: (end: (text: string) => void) => void): Promise<string> => {
    const path = directory.file("other.sock");
    const server = createServer((socket) => answer((text) => socket.end(text)));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  };

  it("is told on a socket of root's alone, each time as it is then", async () => {
    const path = directory.file("status.sock");
    let version = 3;
    servers.push(
      await serveStatus(path, () => ({
        ...STATUS,
        policy: { version: version++, issuedAt: STATUS.startedAt, engagements: 1 },
      })),
    );
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal((await askStatus(path))?.policy?.version, 3);
    assert.equal((await askStatus(path))?.policy?.version, 4);
    const asNobody = { uid: 65534, encoding: "utf8" } as const;
    assert.equal(spawnSync("curl", ["-sS", "--unix-socket", path, "http://x/"], asNobody).status, 7);
  });

  it("takes the place of a socket that a dead agent left", async () => {
    const path = directory.file("status.sock");
    writeFileSync(path, "");
    servers.push(await serveStatus(path, () => STATUS));
    assert.deepEqual(await askStatus(path), STATUS);
  });

  it("is null where no agent runs", async () => {
    assert.equal(await askStatus(directory.file("none.sock")), null);
    // A socket that nobody listens on any more.
    const dead = directory.file("dead.sock");
    spawnSync("python3", [
      "-c",
      `import socket; s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(dead)})`,
    ]);
    assert.equal(await askStatus(dead), null);
  });

  it("is an error where an agent says what makes no sense, or nothing", async () => {
    const garbage = await answering((end) => end('{"v":2}'));
    await assert.rejects(askStatus(garbage), { code: "message-malformed", message: /of another version/ });
    servers.pop()?.close();
    const silent = await answering(() => {});
    await assert.rejects(askStatus(silent, 50), { code: "internal", message: /no answer in time/ });
  });

  it("does not take the agent down when it cannot be made", async () => {
    const path = directory.file("status.sock");
    servers.push(
      await serveStatus(path, () => {
        throw new Error("the disk is gone");
      }),
    );
    await assert.rejects(askStatus(path), { code: "message-malformed" });
    await assert.rejects(askStatus(path), { code: "message-malformed" });
  });

  it("is short and aligned for people", () => {
    assert.equal(
      statusText(STATUS, NOW),
      `host       web-1 (hst_01m83bm45ry0v3yt7hyz1eshm1)
agent      0.1.0, up 1 d (pid 7)
policy     version 3 of 2027-01-15T07:00:00.000Z, 2 engagements
lease      9 min 5 s left, until 2027-01-15T08:09:05.000Z
revoked    up to number 12, 9 targets
uplink     connected to https://sallyport.example.com for 1 h
spool      1.5 KiB in 1 recording, 5.0 GiB free
events     0 waiting
recorders  8 (1 session)
sessions   1
  ses_01m83bm45ry0v3yt7hyz1eshm1  Alice Acme as deploy from 192.0.2.7, acme-db, pty, 30 min
`,
    );
  });

  it("says what is wrong", () => {
    const text = statusText(
      {
        ...STATUS,
        policy: null,
        lease: { until: STATUS.startedAt, seconds: -90 },
        sessions: [],
        recorders: [],
        spool: { ...STATUS.spool, rejected: 2 },
        uplink: { ...STATUS.uplink, connectedSince: null, lastError: "ECONNREFUSED\u001b[2J" },
        outbox: { waiting: 4, dropped: 1 },
        issuers: [{ issuer: "https://idp.example.com", keys: 0 }],
        clock: { setBack: true, skew: [{ peer: "https://idp.example.com", seconds: 61 }] },
        localPolicy: { files: [], errors: ["a.yaml:1:1: no"] },
      },
      NOW,
    );
    assert.equal(
      text.replace(/^(host|agent|revoked|spool) .*\n/gm, ""),
      `policy     none yet: nobody is admitted
lease      ran out 1 min 30 s ago: nobody is admitted until the control plane is back
uplink     NOT connected to https://sallyport.example.com: ECONNREFUSED\\u{1b}[2J
events     4 waiting, 1 lost
recorders  none: nobody is admitted
keys       none of https://idp.example.com: its people cannot log in
set aside  2 recordings
clock      was set back
clock      https://idp.example.com is 1 min 1 s ahead of this host
policy.d   a.yaml:1:1: no
sessions   none
`,
    );
  });

  it("has units that can be read", () => {
    assert.deepEqual([0, 1023, 1536, 200 * 1024 ** 2, 3 * 1024 ** 4].map(bytesText), [
      "0 B",
      "1023 B",
      "1.5 KiB",
      "200 MiB",
      "3.0 TiB",
    ]);
    assert.deepEqual([0, 59.6, 60, 3600, 90_061, -5].map(spanText), [
      "0 s",
      "1 min",
      "1 min",
      "1 h",
      "1 d 1 h",
      "0 s",
    ]);
  });
});
