import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { askHttp } from "@sallyport/agent/doctor/ask-http.ts";
import type { ExaminedHost } from "@sallyport/agent/doctor/check.ts";
import { agentCheck } from "@sallyport/agent/doctor/checks/agent.ts";
import { clockCheck } from "@sallyport/agent/doctor/checks/clock.ts";
import { cgroup2Mount } from "@sallyport/agent/doctor/checks/kernel.ts";
import { localPolicyCheck } from "@sallyport/agent/doctor/checks/local-policy.ts";
import { policyCheck } from "@sallyport/agent/doctor/checks/policy.ts";
import { groupMembers, isPlainName } from "@sallyport/agent/doctor/group-members.ts";
import { shadowEntries } from "@sallyport/agent/doctor/shadow.ts";
import { STATUS } from "../support/status.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const host = (changes: Partial<typeof STATUS>): ExaminedHost =>
  ({
    status: { ...STATUS, ...changes },
    pinned: { host: STATUS.host, trust: { policyKeys: [] } },
    version: STATUS.version,
    config: { recorders: 2 },
    paths: { bundle: "/nonexistent/b", principalsSocket: "/nonexistent/p", sessionSocket: "/nonexistent/s" },
    now: () => 1_800_000_000,
  }) as unknown as ExaminedHost;

describe("doctor judges", () => {
  const directory = temporaryDirectory();

  describe("the lease", () => {
    for (const [seconds, level, what] of [
      [500, "ok", /holds for 8 min 20 s/],
      [20, "warning", /runs out in 20 s/],
      [-7200, "error", /ran out 2 h ago/],
    ] as const) {
      it(`with ${seconds} s left: ${level}`, async () => {
        const found = await policyCheck.run(host({ lease: { until: "2027-01-15T08:00:00.000Z", seconds } }));
        const lease = found.find((one) => one.what.startsWith("the lease"));
        assert.equal(lease?.level, level);
        assert.match(lease?.what ?? "", what);
      });
    }

    it("and a host without a policy, without an engagement, without an uplink", async () => {
      const [none] = await policyCheck.run(host({ policy: null, lease: null }));
      assert.deepEqual([none?.level, none?.what], ["error", "this host has no policy"]);
      const policy = { version: 3, issuedAt: "2027-01-15T07:00:00.000Z", engagements: 0 };
      const empty = await policyCheck.run(host({ policy }));
      assert.ok(
        empty.some(({ level, what }) => level === "warning" && what === "no engagement names this host"),
      );
      const away = { ...STATUS.uplink, connectedSince: null, lastError: "connect ECONNREFUSED" };
      const [last] = (await policyCheck.run(host({ uplink: away }))).slice(-1);
      assert.deepEqual([last?.level, /ECONNREFUSED/.test(last?.what ?? "")], ["warning", true]);
    });
  });

  describe("the clock", () => {
    for (const [seconds, level] of [
      [0.4, "ok"],
      [-4, "ok"],
      [30, "warning"],
      [-3600, "error"],
    ] as const) {
      it(`${seconds} s apart: ${level}`, async () => {
        const clock = { setBack: false, skew: [{ peer: "https://idp.example", seconds }] };
        const [found] = await clockCheck.run(host({ clock }));
        assert.equal(found?.level, level);
        if (level === "error") assert.match(found?.what ?? "", /is 1 h behind this host$/);
      });
    }

    it("set back: an error, whatever others say", async () => {
      const [found] = await clockCheck.run(host({ clock: { setBack: true, skew: [] } }));
      assert.deepEqual([found?.level, found?.what], ["error", "the clock was set back"]);
    });
  });

  it("an agent of another version, without recorders, that has lost events, and that accepts nothing", async () => {
    const found = await agentCheck.run({
      ...host({
        version: "0.0.9",
        recorders: [{ pid: 7, version: "0.0.8", sessions: 2, draining: true }],
        outbox: { waiting: 100_000, dropped: 5 },
      }),
      version: "0.1.0",
    });
    assert.deepEqual(
      found.map(({ level, what }) => `${level}: ${what}`),
      [
        "ok: agent 0.0.9 runs (pid 7), with 1 session",
        "error: nobody answers on /nonexistent/p",
        "error: nobody answers on /nonexistent/s",
        "warning: version 0.0.9 runs, and 0.1.0 is installed",
        "error: no recorder is ready",
        "ok: recorder 7 of version 0.0.8 ends with its last of 2 sessions",
        "warning: 5 events were lost",
      ],
    );
  });

  it("the operator's own policy", async () => {
    const errors = ["/etc/sallyport/policy.d/a.yaml:3:1: no such key"];
    const [found] = await localPolicyCheck.run(host({ localPolicy: { files: [], errors } }));
    assert.deepEqual([found?.level, found?.what], ["error", errors[0]]);
    const [well] = await localPolicyCheck.run(host({ localPolicy: { files: ["a.yaml"], errors: [] } }));
    assert.equal(well?.level, "ok");
  });

  it("a server by its answer and its clock, and one that is not there", async () => {
    const server = createServer((request, response) => {
      response.setHeader("date", new Date(Date.now() + 100_000).toUTCString());
      response.writeHead(request.url === "/well" ? 200 : 503).end("body");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const now = () => Date.now() / 1000;
    const well = await askHttp(`${url}/well`, now);
    assert.deepEqual([well.status, well.body], [200, "body"]);
    assert.ok(Math.abs((well.ahead ?? 0) - 100) < 2, String(well.ahead));
    assert.deepEqual((await askHttp(url, now)).reason, "it answers 503");
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const gone = await askHttp(url, now);
    assert.equal(gone.status, null);
    assert.match(gone.reason, /ECONNREFUSED|other side closed/);
  });

  it("a silent server within its time", async () => {
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const answer = await askHttp(url, () => Date.now() / 1000, 50);
    assert.deepEqual([answer.status, answer.reason], [null, "no answer in time"]);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it("accounts by group(5), passwd(5) and shadow(5)", () => {
    const files = { passwd: directory.file("passwd"), group: directory.file("group") };
    writeFileSync(
      files.passwd,
      "root:x:0:0::/root:/bin/bash\na:x:1000:1000::/home/a:/shim\nb:x:1001:77::/home/b:/bin/sh\nc:x:1002:9::/c:/shim\n",
    );
    writeFileSync(files.group, "root:x:0:\nsallyport:x:77:a,gone\n");
    assert.deepEqual(
      groupMembers("sallyport", files)?.map(({ name }) => name),
      ["a", "b"],
    );
    assert.equal(groupMembers("none", files), null);
    writeFileSync(directory.file("shadow"), "a:!:1:0:::::\nb:*:1:0::::100:\n");
    assert.deepEqual(
      [...shadowEntries(directory.file("shadow"))],
      [
        ["a", { locked: true, expires: null }],
        ["b", { locked: false, expires: 100 }],
      ],
    );
    assert.deepEqual(["deploy", "a.b-c", "a,host=x", "-f", ""].map(isPlainName), [
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it("where cgroup v2 is mounted", () => {
    const mounts = (type: string) =>
      `29 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n41 29 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:9 - ${type} x rw\n`;
    assert.equal(cgroup2Mount(mounts("cgroup2")), "/sys/fs/cgroup/unified");
    assert.equal(cgroup2Mount(mounts("cgroup")), null);
  });
});
