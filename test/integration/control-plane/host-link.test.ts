import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { LastRefusal } from "@sallyport/core/messages/client-api.ts";
import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { parseJoinToken, Trust } from "@sallyport/core/messages/trust.ts";
import { makeId } from "@sallyport/core/names.ts";
import { verifyBundle, verifyLease } from "@sallyport/core/policy/signed-document.ts";
import { WebSocket } from "ws";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, hello, makeRecording, type TestHost, TestLink } from "./support/host.ts";

describe("host link", () => {
  let plane: TestControlPlane;
  let host: TestHost;
  let trust: Trust;
  before(async () => {
    plane = await startTestControlPlane({ lease: 3 });
    host = await enrol(plane.url, await plane.joinToken("web-1"));
    trust = Trust.parse((await call(plane.url, "GET", "/trust")).body);
  });
  after(() => plane.close());

  const eventOf = (changes: Partial<HostEvent>): HostEvent => ({
    id: makeId("evt", Date.now(), randomBytes(10)),
    at: Date.now(),
    type: "login-refused",
    account: "deploy",
    sourceAddress: "127.0.0.1",
    certificateSerial: null,
    memberId: null,
    issuer: null,
    subject: null,
    engagementId: null,
    sessionId: null,
    code: "outside-hours",
    detail: "it is Sunday",
    told: "Come back on Monday.",
    ...changes,
  });

  describe("enrolment", () => {
    it("takes a join token once", async () => {
      const token = await plane.joinToken("web-2");
      await enrol(plane.url, token);
      await assert.rejects(enrol(plane.url, token), /conflict .*used already/);
    });

    it("takes no token with another secret, and none that is too old", async () => {
      const token = await plane.joinToken("web-2");
      const { id: tokenId } = parseJoinToken(token);
      const sshHostKeys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFOXlB8yOhQqv4mxdvhq3ljlko+QGxzmIDbhAw/sj9dX",
      ];
      const body = { v: 1, tokenId, secret: "A".repeat(43), hostKey: "B".repeat(43), sshHostKeys };
      assert.equal((await call(plane.url, "POST", "/hosts", { body })).code, "unauthenticated");
      plane.clock.offset = 25 * 3600 * 1000;
      await assert.rejects(enrol(plane.url, token), /unauthenticated .*24 hours/);
      plane.clock.offset = 0;
      await enrol(plane.url, token);
    });

    it("leaves a token good when the request is not", async () => {
      const token = await plane.joinToken("web-2");
      const { id: tokenId, secret } = parseJoinToken(token);
      const body = { v: 1, tokenId, secret, hostKey: "B".repeat(43), sshHostKeys: ["ssh-dss AAAA"] };
      assert.equal((await call(plane.url, "POST", "/hosts", { body })).status, 400);
      await enrol(plane.url, token);
    });

    it("replaces a host of the same name, whose link then ends", async () => {
      const old = await enrol(plane.url, await plane.joinToken("web-3"));
      const link = await connect(plane.url, old);
      const renewed = await enrol(plane.url, await plane.joinToken("web-3"));
      assert.equal((await link.closed).code, 4403);
      const again = new TestLink(plane.url);
      await hello(again, old);
      assert.equal((await again.closed).code, 4403);
      await (await connect(plane.url, renewed)).close();
    });
  });

  describe("sign-in", () => {
    const refused: [name: string, send: (link: TestLink) => unknown, code: number][] = [
      ["another key", (link) => hello(link, host, { key: generateKeyPairSync("ed25519").privateKey }), 4401],
      [
        "a host that is not enrolled",
        (link) => hello(link, { ...host, id: "hst_00000000000000000000000000" }),
        4403,
      ],
      ["an absurd version", (link) => hello(link, host, { bundleVersion: Number.MAX_SAFE_INTEGER }), 4400],
      [
        "something else first",
        (link) => link.next("challenge").then(() => link.send({ type: "bundle-ack", version: 1 })),
        4400,
      ],
      ["no JSON", (link) => link.next("challenge").then(() => link.socket.send("{")), 4400],
      [
        "a block first",
        (link) => link.next("challenge").then(() => link.socket.send(Buffer.alloc(100))),
        4400,
      ],
    ];
    for (const [name, send, code] of refused) {
      it(`closes on ${name} with ${code}`, async () => {
        const link = new TestLink(plane.url);
        await send(link);
        assert.equal((await link.closed).code, code);
      });
    }

    it("keeps nothing large in memory for who has not signed in: a message that never ends is cut off", async () => {
      const link = new TestLink(plane.url);
      await link.next("challenge");
      const begun = performance.now();
      link.socket.on("error", () => {});
      link.socket.send(Buffer.alloc(1024 * 1024), { fin: false });
      assert.equal((await link.closed).code, 1006);
      assert.ok(performance.now() - begun < 5000, "not only when nobody signs in for 10 s");
    });

    it("does not take an answer to another challenge", async () => {
      const [first, second] = [new TestLink(plane.url), new TestLink(plane.url)];
      const stolen = await first.next("challenge");
      const { nonce } = await second.next("challenge");
      assert.notEqual(stolen.nonce, nonce);
      const relayed = Object.assign(Object.create(TestLink.prototype) as TestLink, {
        next: async () => stolen,
        send: (message: Parameters<TestLink["send"]>[0]) => second.send(message),
      });
      await hello(relayed, host);
      assert.equal((await second.closed).code, 4401);
      await first.close();
    });

    it("closes the older of two links of one host", async () => {
      const older = await connect(plane.url, host);
      const newer = await connect(plane.url, host);
      assert.equal((await older.closed).code, 4409);
      await newer.next("bundle");
      await newer.close();
    });

    it("is only at its own address", async () => {
      const socket = new WebSocket(`${plane.url.replace(/^http/, "ws")}/api/v1/elsewhere`);
      const message = await new Promise<string>((resolve) =>
        socket.once("error", (error) => resolve(error.message)),
      );
      assert.match(message, /404/);
    });

    it("ends on a message that does not fit, and changes nothing", async () => {
      const link = await connect(plane.url, host);
      link.socket.send(JSON.stringify({ type: "event", event: { ...eventOf({}), extra: 1 } }));
      const { code, reason } = await link.closed;
      assert.equal(code, 4400);
      assert.match(reason, /wrong shape at event/);
    });
  });

  describe("policy", () => {
    it("sends the bundle that is missing, or a lease when nothing is", async () => {
      const first = await connect(plane.url, host);
      const bundle = await verifyBundle((await first.next("bundle")).jws, trust.policyKeys);
      await first.close();
      const second = await connect(
        plane.url,
        host,
        bundle && { bundleVersion: bundle.version, revocationSequence: bundle.revocationSequence },
      );
      const lease = await verifyLease((await second.next("lease")).jws, trust.policyKeys);
      assert.deepEqual([lease.hostId, lease.bundleVersion], [host.id, bundle.version]);
      assert.ok(Math.abs(lease.leaseUntil - Date.now() / 1000 - 3) < 2);
      await second.close();
    });

    it("renews the lease at a third of it", async () => {
      const began = Date.now();
      const link = await connect(plane.url, host);
      const { version } = await verifyBundle((await link.next("bundle")).jws, trust.policyKeys);
      link.send({ type: "bundle-ack", version });
      const lease = await verifyLease((await link.next("lease")).jws, trust.policyKeys);
      assert.equal(lease.bundleVersion, version);
      assert.ok(Date.now() - began > 900);
      await link.close();
    });

    it("sends new bundles when the policy file changes and when an engagement ends", async () => {
      const link = await connect(plane.url, host);
      const before = await verifyBundle((await link.next("bundle")).jws, trust.policyKeys);
      link.send({ type: "bundle-ack", version: before.version });
      const engagement = `  - { name: short, vendor: vendor, members: [eve@vendor.test], hosts: { names: [web-1] }, accounts: [deploy], start: 2020-01-01, end: 2090-01-01, contact: c }`;
      plane.writePolicy(`version: 1\nengagements:\n${engagement}\n`);
      const reloading = plane.running.reloadPolicy();
      const after = await verifyBundle((await link.next("bundle")).jws, trust.policyKeys);
      link.send({ type: "bundle-ack", version: after.version });
      await reloading;
      assert.ok(after.engagements.some(({ name }) => name === "short"));
      const sam = await signIn(plane.url, plane.idp.issuer, "sam");
      const ending = call(plane.url, "POST", "/engagements/short/end", {
        token: sam.apiToken,
        body: { reason: "done" },
      });
      const ended = await verifyBundle((await link.next("bundle")).jws, trust.policyKeys);
      link.send({ type: "bundle-ack", version: ended.version });
      assert.deepEqual(ended.engagements.find(({ name }) => name === "short")?.ended?.reason, "done");
      assert.ok(before.version < after.version && after.version < ended.version);
      const { hosts } = (await ending).body as { hosts: { host: string; acknowledged: boolean }[] };
      assert.equal(hosts.find(({ host }) => host === "web-1")?.acknowledged, true);
      assert.equal(
        (await call(plane.url, "POST", "/engagements/short/end", { token: sam.apiToken, body: {} })).code,
        "conflict",
      );
      await link.close();
    });

    it("tells a host that was away of the revocations that it missed", async () => {
      const sam = await signIn(plane.url, plane.idp.issuer, "sam");
      const target = `SHA256:${"b".repeat(43)}`;
      const body = { level: "key", target, reason: "lost laptop" };
      const answer = await call(plane.url, "POST", "/revocations", { token: sam.apiToken, body });
      const { sequence, hosts } = answer.body as { sequence: number; hosts: { acknowledged: boolean }[] };
      assert.ok(hosts.length > 0 && hosts.every(({ acknowledged }) => !acknowledged));
      const link = await connect(plane.url, host, { bundleVersion: 0, revocationSequence: sequence - 1 });
      const bundle = await verifyBundle((await link.next("bundle")).jws, trust.policyKeys);
      assert.equal(bundle.revocationSequence, sequence);
      assert.equal(bundle.revocations.at(-1)?.target, target);
      await link.close();
    });
  });

  describe("events", () => {
    it("are stored once, and acknowledged each time", async () => {
      const link = await connect(plane.url, host);
      const event = eventOf({ type: "trouble", code: "test-trouble", told: null });
      for (let i = 0; i < 3; i++) {
        link.send({ type: "event", event });
        assert.equal((await link.next("event-ack")).id, event.id);
      }
      const db = await plane.database();
      const stored = (await listAuditEvents(db, 1000)).filter(({ data_json }) =>
        data_json.includes("test-trouble"),
      );
      await db.destroy();
      assert.equal(stored.length, 1);
      await link.close();
    });

    it("tell a person of their last refusal: by identity, or by their certificate", async () => {
      const dana = await signIn(plane.url, plane.idp.issuer, "dana");
      const eve = await signIn(plane.url, plane.idp.issuer, "eve");
      const why = async (token: string) =>
        LastRefusal.parse((await call(plane.url, "GET", "/me/refusal", { token })).body).refusal;
      assert.equal(await why(dana.apiToken), null);
      const link = await connect(plane.url, host);
      const tell = async (changes: Partial<HostEvent>) => {
        link.send({ type: "event", event: eventOf(changes) });
        await link.next("event-ack");
      };
      await tell({ issuer: plane.idp.issuer, subject: "dana" });
      const first = await why(dana.apiToken);
      assert.deepEqual(
        [first?.host, first?.account, first?.code, first?.told],
        ["web-1", "deploy", "outside-hours", "Come back on Monday."],
      );
      await tell({ certificateSerial: dana.certificate?.serial ?? "", code: "token-expired", told: null });
      assert.equal((await why(dana.apiToken))?.code, "token-expired");
      await tell({ issuer: plane.idp.issuer, subject: "dana", type: "login-admitted", code: null });
      assert.equal((await why(dana.apiToken))?.code, "token-expired");
      assert.equal(await why(eve.apiToken), null);
      await link.close();
    });
  });

  describe("recordings", () => {
    const member = { id: "mem_1", issuer: "https://idp.test", subject: "x" };

    it("go on where they were after the control plane was stopped in mid-session", async () => {
      const { session, blocks } = makeRecording(host, member, {
        outputs: Array.from({ length: 20 }, (_, i) => `line ${i}\r\n`),
      });
      const first = await connect(plane.url, host);
      for (const block of blocks.slice(0, 5)) first.socket.send(block.bytes);
      for (let next = 0; next < 5; ) next = (await first.next("recording-offset")).nextSequence;
      await plane.restart();
      assert.equal((await first.closed).code, 1001);
      const second = await connect(plane.url, host);
      second.send({ type: "recording-query", recording: session });
      const { nextSequence } = await second.next("recording-offset");
      assert.equal(nextSequence, 5);
      for (const block of blocks.slice(nextSequence)) second.socket.send(block.bytes);
      for (let complete = false; !complete; ) complete = (await second.next("recording-offset")).complete;
      const { apiToken } = await signIn(plane.url, plane.idp.issuer, "audrey");
      const get = (format: string) =>
        call(plane.url, "GET", `/sessions/${session}/export?format=${format}`, { token: apiToken });
      const lines = Array.from({ length: 20 }, (_, i) => `line ${i}\r\n`).join("");
      assert.equal((await get("raw")).body, lines);
      assert.equal((await get("text")).body, lines.replaceAll("\r\n", "\n"));
      assert.match(String((await get("asciicast-v2")).body), /^\{"version":2,/);
      assert.match(String((await get("asciicast-v3")).body), /^\{"version":3,/);
      assert.equal((await get("gif")).code, "message-malformed");
      await second.close();
    });

    it("that are broken are rejected, and the link stays open for others", async () => {
      const link = await connect(plane.url, host);
      const { session, blocks } = makeRecording(host, member);
      link.socket.send(blocks[0]?.bytes ?? "");
      await link.next("recording-offset");
      const damaged = Buffer.from(blocks[1]?.bytes ?? []);
      damaged[100] = (damaged[100] ?? 0) ^ 0xff;
      link.socket.send(damaged);
      const first = await link.next("recording-rejected");
      assert.deepEqual(
        [first.recording, first.sequence, first.code],
        [session, 1, "recording-bad-signature"],
      );
      link.socket.send(damaged.subarray(0, damaged.length - 1));
      assert.equal((await link.next("recording-rejected")).code, "recording-malformed");
      const other = makeRecording(host, member);
      link.socket.send(other.blocks[0]?.bytes ?? "");
      assert.equal((await link.next("recording-offset")).recording, other.session);
      link.send({ type: "heartbeat", liveSessions: [session], spoolBytes: 0, clock: Date.now() / 1000 });
      link.socket.send(Buffer.from("not a block at all"));
      assert.equal((await link.closed).code, 4400);
    });

    it("of another host are none of a host's business", async () => {
      const { session, blocks } = makeRecording(host, member);
      const link = await connect(plane.url, host);
      link.socket.send(blocks[0]?.bytes ?? "");
      await link.next("recording-offset");
      const other = await connect(plane.url, await enrol(plane.url, await plane.joinToken("web-4")));
      other.send({ type: "recording-query", recording: session });
      assert.equal((await other.next("recording-rejected")).code, "forbidden");
      other.socket.send(blocks[1]?.bytes ?? "");
      assert.equal((await other.next("recording-rejected")).code, "forbidden");
      await link.close();
      await other.close();
    });

    it("come in by megabytes", async () => {
      const outputs = Array.from({ length: 400 }, () =>
        randomBytes(24 * 1024)
          .toString("latin1")
          .slice(0, 24 * 1024),
      );
      const { blocks } = makeRecording(host, member, { outputs });
      const link = await connect(plane.url, host);
      for (const block of blocks) link.socket.send(block.bytes);
      for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
      await link.close();
    });
  });
});
