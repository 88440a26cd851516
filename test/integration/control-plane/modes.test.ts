import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { COMMANDS_CAPABILITY, type HostEvent } from "@sallyport/core/messages/host-link.ts";
import { SessionEvent } from "@sallyport/core/messages/recordings.ts";
import { Trust } from "@sallyport/core/messages/trust.ts";
import { makeId } from "@sallyport/core/names.ts";
import { verifyBundle } from "@sallyport/core/policy/signed-document.ts";
import { decodeJwt } from "jose";
import { z } from "zod";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, makeRecording, type TestHost, type TestLink } from "./support/host.ts";

describe("engagements of commands and files", () => {
  let plane: TestControlPlane;
  let host: TestHost;
  let token: string;
  let trust: Trust;
  before(async () => {
    plane = await startTestControlPlane();
    host = await enrol(plane.url, await plane.joinToken("web-1"));
    trust = Trust.parse((await call(plane.url, "GET", "/trust")).body);
    token = (await signIn(plane.url, plane.idp.issuer, "sam")).apiToken;
  });
  after(() => plane.close());

  const engagement = (fields: object) => ({
    ...{ name: "logs", vendor: "vendor", members: ["dana@vendor.test"], hosts: { names: ["web-1"] } },
    ...{ accounts: ["deploy"], start: "2026-01-01", end: "2089-01-01", contact: "sec@acme.test" },
    ...{ mode: "commands", commands: { rules: [{ program: "df" }] } },
    ...fields,
  });
  const create = (fields: object) =>
    call(plane.url, "POST", "/engagements", { token, body: { engagement: engagement(fields) } });

  it("are refused with a sentence where they name sets, which only files have", async () => {
    const { status, message } = await create({ commands: { use: ["logs"] } });
    assert.equal(status, 400);
    assert.match(message, /`use` names sets of a policy file, and there is none here/);
  });

  it("are refused with a rule that runs as another account for accounts that members share", async () => {
    const { status, message } = await create({ commands: { rules: [{ program: "df", runAs: "root" }] } });
    assert.equal(status, 400);
    assert.match(message, /only personal accounts can have sudo/);
  });

  it("are in the bundles of hosts that know them, and in no other", async () => {
    assert.equal((await create({})).status, 201);
    const bundleOf = async (link: TestLink) => {
      const { jws } = await link.next("bundle");
      const names = (await verifyBundle(jws, trust.policyKeys)).engagements.map(({ name }) => name);
      return { names, raw: decodeJwt<{ version: number; engagements: object[] }>(jws) };
    };
    const before = await connect(plane.url, host);
    const old = await bundleOf(before);
    await before.close();
    assert.deepEqual(
      old.names.some((name) => name === "logs"),
      false,
    );
    assert.ok(old.raw.engagements.length > 0);
    assert.ok(old.raw.engagements.every((one) => !("commands" in one) && !("files" in one)));

    const has = { bundleVersion: old.raw.version, capabilities: [COMMANDS_CAPABILITY] };
    const now = await connect(plane.url, host, has);
    const modern = await bundleOf(now);
    await now.close();
    assert.deepEqual(
      modern.names.some((name) => name === "logs"),
      true,
    );
    assert.ok(modern.raw.version > old.raw.version);
  });

  it("have their commands and refusals among the events of a session, and in the audit log", async () => {
    const { body } = await call(plane.url, "GET", "/members", { token });
    const [{ id } = { id: "" }] = z.array(z.object({ id: z.string() })).parse(body);
    const who = { id, issuer: plane.idp.issuer, subject: "dana" };
    const { session, blocks } = makeRecording(host, who);
    const link = await connect(plane.url, host, { capabilities: [COMMANDS_CAPABILITY] });
    for (const block of blocks) link.socket.send(block.bytes);
    for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
    const event = (changes: Partial<HostEvent>): HostEvent => ({
      ...{ id: makeId("evt", Date.now(), randomBytes(10)), at: Date.now(), type: "command-started" },
      ...{ account: "deploy", sourceAddress: null, certificateSerial: "42", memberId: id, issuer: null },
      ...{ subject: null, engagementId: null, sessionId: session, code: null, detail: "df: df", told: null },
      ...changes,
    });
    const events = [
      event({}),
      event({ type: "command-refused", code: "command-not-allowed", detail: "id: id is not allowed" }),
      event({ type: "file-moved", detail: 'sftp write: "/srv/x"' }),
      event({ type: "file-refused", code: "refused", sessionId: makeId("ses", 1, randomBytes(10)) }),
    ];
    for (const [index, one] of events.entries())
      link.send({ type: "event", event: { ...one, at: one.at - 10 + index } });
    for (const _ of events) await link.next("event-ack");
    const audrey = await signIn(plane.url, plane.idp.issuer, "audrey");
    const answer = await call(plane.url, "GET", `/sessions/${session}/events`, { token: audrey.apiToken });
    const told = z.array(SessionEvent).parse(answer.body);
    assert.deepEqual(
      told.map(({ type, code }) => [type, code]),
      [
        ["command-started", null],
        ["command-refused", "command-not-allowed"],
        ["file-moved", null],
      ],
    );
    const db = await plane.database();
    const log = (await listAuditEvents(db, 50)).filter(({ type }) => type === "host-event");
    await db.destroy();
    const inLog = log.map(({ data_json }) => JSON.parse(data_json).type);
    for (const { type } of events) assert.ok(inLog.includes(type), type);
    await link.close();
  });
});
