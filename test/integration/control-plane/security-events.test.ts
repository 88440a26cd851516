import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pinIdentity, saveMember } from "@sallyport/control-plane/database/members.ts";
import { listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { securityEventStatus } from "@sallyport/control-plane/security-events/security-event-status.ts";
import { identityTarget } from "@sallyport/core/policy/revocation.ts";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol } from "./support/host.ts";
import { KillablePlane } from "./support/killable-plane.ts";
import { POLL_TOKEN, SsfTransmitter, STREAM_TOKEN } from "./support/ssf-transmitter.ts";

const CAEP = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF = "https://schemas.openid.net/secevent/ssf/event-type/";

function secretFile(name: string, text: string): string {
  const file = join(tmpdir(), `sallyport-${name}-${process.pid}`);
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return file;
}

/** Until something is so; the test's own time is the limit. */
async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

const streamFile = secretFile("stream-token", STREAM_TOKEN);
const pollFile = secretFile("poll-token", POLL_TOKEN);
const pushFile = secretFile("push-header", "Bearer push-token-0123456789");

after(() => {
  for (const file of [streamFile, pollFile, pushFile]) rmSync(file, { force: true });
});

describe("security events", () => {
  let transmitter: SsfTransmitter;
  let plane: TestControlPlane;
  let db: Database;
  const begin = async (securityEvents: (transmitter: SsfTransmitter) => object) => {
    transmitter = await SsfTransmitter.start();
    plane = await startTestControlPlane({
      issuer: { securityEvents: { issuer: transmitter.url, ...securityEvents(transmitter) } },
    });
    transmitter.audience = plane.url;
    db = await plane.database();
  };
  afterEach(async () => {
    await db.destroy();
    await plane.close();
    await transmitter.close();
    assert.deepEqual(transmitter.violations, []);
  });

  const dana = () => ({ sub_id: { format: "iss_sub", iss: plane.idp.issuer, sub: "dana" } });
  const push = (compact: string, headers?: Record<string, string>) =>
    transmitter.push(`${plane.url}/security-events`, compact, headers);
  const list = async () => (await listRevocations(db)).map(({ target, before }) => ({ target, before }));
  const status = async () =>
    (await securityEventStatus(db)).find(({ issuer }) => issuer === plane.idp.issuer);
  const isIn = async (token: string) => (await call(plane.url, "GET", "/me", { token })).status === 200;

  describe("by push", () => {
    beforeEach(() => begin(() => ({})));

    it("end what somebody has, at once on hosts; disable and enable them", async () => {
      const first = await signIn(plane.url, plane.idp.issuer, "dana");
      assert.ok(await isIn(first.apiToken));
      const link = await connect(plane.url, await enrol(plane.url, await plane.joinToken("web-1")));
      const event = { reason_admin: { en: "left the company" }, event_timestamp: Date.now() / 1000 };
      const answer = await push(await transmitter.set({ [`${CAEP}session-revoked`]: event }, dana()));
      assert.equal(answer.status, 202);
      const [entry] = await listRevocations(db);
      assert.equal(entry?.target, identityTarget(plane.idp.issuer, "dana"));
      assert.equal(entry?.reason, "CAEP session-revoked: left the company");
      assert.equal((await link.next("revocation")).entry.id, entry?.id);
      assert.ok(!(await isIn(first.apiToken)), "her API token is of that sign-in");
      await link.close();

      // Who signs in after it is in again, also when it is told of once more, late.
      plane.clock.offset += 5000;
      await push(await transmitter.set({ [`${RISC}account-disabled`]: {} }, dana()));
      assert.equal((await list()).at(-1)?.before, null);
      await assert.rejects(signIn(plane.url, plane.idp.issuer, "dana"));
      await push(await transmitter.set({ [`${RISC}account-enabled`]: {} }, dana()));
      assert.notEqual((await list()).at(-1)?.before, null);
    });

    it("let in again whoever signs in after them, however late they come", async () => {
      const before = Math.floor(Date.now() / 1000) - 60;
      const late = await transmitter.set(
        { [`${CAEP}session-revoked`]: { event_timestamp: before } },
        { ...dana(), iat: before },
      );
      const { apiToken } = await signIn(plane.url, plane.idp.issuer, "dana");
      assert.equal((await push(late)).status, 202);
      assert.equal((await list()).length, 1);
      assert.ok(await isIn(apiToken));
    });

    it("are answered as RFC 8935 has it", async () => {
      await signIn(plane.url, plane.idp.issuer, "dana");
      const token = await transmitter.set({ [`${CAEP}session-revoked`]: {} }, dana());
      const bad: [compact: string, err: string, headers?: Record<string, string>][] = [
        ["", "invalid_request"],
        [token, "invalid_request", { "content-type": "application/json" }],
        ["x".repeat(70_000), "invalid_request"],
        [await transmitter.set({}, dana()), "invalid_request"],
        [
          await transmitter.set({ [`${CAEP}session-revoked`]: {} }, { ...dana(), iss: "https://else.test" }),
          "invalid_issuer",
        ],
        [
          await transmitter.set({ [`${CAEP}session-revoked`]: {} }, { ...dana(), aud: "else" }),
          "invalid_audience",
        ],
        [token.replace(/[^.]*$/, ""), "authentication_failed"],
        [(await signIn(plane.url, plane.idp.issuer, "eve")).apiToken, "invalid_request"],
      ];
      for (const [compact, err, headers] of bad) {
        const answer = await push(compact, headers);
        assert.equal(answer.status, 400);
        assert.equal(answer.error?.err, err);
        assert.equal(answer.headers.get("content-language"), "en");
      }
      assert.deepEqual(await list(), []);
      for (let time = 0; time < 3; time += 1) assert.equal((await push(token)).status, 202);
      assert.equal((await list()).length, 1);
      assert.ok(((await status())?.receivedAt ?? 0) > 0);
    });

    it("are taken with a new key at once, and asked for later while the IdP's keys cannot be had", async () => {
      const set = () => transmitter.set({ [`${CAEP}session-revoked`]: {} }, dana());
      assert.equal((await push(await set())).status, 202);
      transmitter.rotate();
      const early = await push(await set());
      assert.deepEqual([early.status, early.headers.get("retry-after")], [503, "10"], "asked a moment ago");
      plane.clock.offset += 11_000;
      assert.equal((await push(await set())).status, 202);
    });
  });

  describe("by poll", () => {
    beforeEach(() => begin(({ url }) => ({ poll: { url: `${url}/poll`, tokenFile: pollFile, pause: 1 } })));

    it("are acknowledged once they are stored, refused with the standard's error, and none is lost", async () => {
      await signIn(plane.url, plane.idp.issuer, "dana");
      const good = transmitter.offer(await transmitter.set({ [`${CAEP}session-revoked`]: {} }, dana()));
      const bad = transmitter.offer(await transmitter.set({ [`${CAEP}credential-change`]: {} }, dana()));
      const foreign = transmitter.offer(
        await transmitter.set(
          { [`${RISC}account-disabled`]: {} },
          { sub_id: { format: "iss_sub", iss: "https://x.test", sub: "dana" } },
        ),
      );
      const unsigned = transmitter.offer(
        (await transmitter.set({ [`${RISC}account-disabled`]: {} }, dana())).replace(/[^.]*$/, ""),
      );
      await until(() => transmitter.waiting.size === 0);
      assert.deepEqual(transmitter.acknowledged, [good]);
      const errors = [...transmitter.refused].map(([jti, { err }]) => [jti, err]);
      assert.deepEqual(Object.fromEntries(errors), {
        [bad]: "invalid_request",
        [foreign]: "access_denied",
        [unsigned]: "authentication_failed",
      });
      assert.equal((await list()).length, 1);
      assert.equal((await push(await transmitter.set({}))).status, 400);
    });

    it("come again where an acknowledgement was lost, and do nothing twice", async () => {
      await signIn(plane.url, plane.idp.issuer, "dana");
      let lost = 0;
      // Once the answer is lost, as if the acknowledgement had never come.
      transmitter.admitPoll = ({ ack = [] }) => ack.length === 0 || ++lost > 1;
      const jti = transmitter.offer(await transmitter.set({ [`${CAEP}session-revoked`]: {} }, dana()));
      await until(() => transmitter.acknowledged.includes(jti));
      assert.ok(lost >= 2);
      assert.equal((await list()).length, 1);
      await until(async () => (await status())?.problem === null);
    });

    it("are taken though others are wrong among them, or are too much at once", async () => {
      await signIn(plane.url, plane.idp.issuer, "dana");
      const long = "x".repeat(200_000);
      for (let index = 0; index < 30; index += 1) transmitter.waiting.set(`long-${index}`, long);
      transmitter.waiting.set("", await transmitter.set({ [`${RISC}account-disabled`]: {} }, dana()));
      transmitter.waiting.set("number", 1 as unknown as string);
      transmitter.offer(await transmitter.set({ [`${CAEP}session-revoked`]: {} }, dana()));
      await until(() => transmitter.waiting.size === 0);
      assert.equal(transmitter.refused.size, 32);
      assert.equal(transmitter.acknowledged.length, 1);
      assert.notEqual((await list())[0]?.before, null);
      assert.equal((await list()).length, 1);
    });

    it("are fetched in bulk, and asked for again and again", async () => {
      await signIn(plane.url, plane.idp.issuer, "dana");
      const sets = Array.from({ length: 120 }, () =>
        transmitter.set({ [`${RISC}identifier-changed`]: {} }, dana()),
      );
      for (const compact of await Promise.all(sets)) transmitter.offer(compact);
      await until(() => transmitter.acknowledged.length === 120);
      const polls = transmitter.polls;
      await until(() => transmitter.polls > polls);
    });

    it("are looked for with growing pauses while the IdP does not answer, and it is said", async () => {
      transmitter.admitPoll = () => false;
      await until(async () => (await status())?.problem != null);
      transmitter.admitPoll = () => true;
      await until(async () => (await status())?.problem === null);
    });
  });

  describe("by a stream that is managed", () => {
    const stream = { manage: true, tokenFile: streamFile };

    it("of pushes: made, verified, and shown when the IdP pauses it", async () => {
      await begin(() => ({ stream, push: { tokenFile: pushFile } }));
      await until(async () => (await status())?.verifiedAt != null);
      const [made] = transmitter.streams;
      assert.equal(made?.delivery.endpoint_url, `${plane.url}/security-events`);
      assert.equal(made?.delivery.authorization_header, "Bearer push-token-0123456789");
      assert.ok(made?.events_requested.includes(`${RISC}account-disabled`));
      assert.deepEqual(
        { ...(await status()), receivedAt: 0, answeredAt: 0, verifiedAt: 0, verificationAskedAt: 0 },
        {
          ...{ issuer: plane.idp.issuer, streamId: "stream-1", status: "enabled", statusReason: null },
          ...{ receivedAt: 0, answeredAt: 0, verifiedAt: 0, verificationAskedAt: 0, problem: null },
        },
      );
      const paused = { status: "paused", reason: "too\u0007many errors" };
      const authorization = "Bearer push-token-0123456789";
      const sub_id = { format: "opaque", id: "stream-1" };
      const update = await transmitter.set({ [`${SSF}stream-updated`]: paused }, { sub_id });
      assert.equal((await push(update, { authorization })).status, 202);
      assert.deepEqual(
        [(await status())?.status, (await status())?.statusReason],
        ["paused", "too\\u{7}many errors"],
      );
      assert.equal((await push(await transmitter.set({}, dana()))).error?.err, "invalid_request");
      const unauthorized = await push(await transmitter.set({ [`${SSF}verification`]: {} }));
      assert.equal(unauthorized.error?.err, "authentication_failed");
    });

    it("of polls: made, and polled where the IdP says", async () => {
      await begin(() => ({ stream, poll: { tokenFile: pollFile, pause: 1 } }));
      await until(async () => (await status())?.verifiedAt != null);
      assert.equal(transmitter.streams[0]?.delivery.endpoint_url, `${transmitter.url}/poll`);
      await signIn(plane.url, plane.idp.issuer, "dana");
      transmitter.offer(await transmitter.set({ [`${CAEP}session-revoked`]: {} }, dana()));
      await until(async () => (await list()).length === 1);
    });

    it("of an IdP that tells only of those who were added: adds who is known here, once", async () => {
      await begin((made) => {
        made.added = [];
        return { stream };
      });
      await until(async () => (await status())?.verifiedAt != null);
      await signIn(plane.url, plane.idp.issuer, "dana");
      await signIn(plane.url, plane.idp.issuer, "sam");
      for (let start = 0; start < 2; start += 1) {
        await plane.restart();
        await until(() => transmitter.added?.length === 2);
      }
      assert.deepEqual(transmitter.added?.toSorted(), ["dana", "sam"]);
      assert.equal((await status())?.problem, null);
    });

    it("is found again after a restart, and changed where it is not as it should be", async () => {
      await begin(() => ({ stream }));
      await until(async () => (await status())?.verifiedAt != null);
      const [made] = transmitter.streams;
      assert.ok(made !== undefined);
      made.events_requested = [];
      made.delivery.endpoint_url = "http://127.0.0.1:1/else";
      transmitter.status = { status: "disabled", reason: "nobody paid" };
      await plane.restart();
      await until(async () => (await status())?.status === "disabled");
      assert.equal(made.delivery.endpoint_url, `${plane.url}/security-events`);
      assert.ok(made.events_requested.length > 5);
      assert.deepEqual([transmitter.streams.length, transmitter.verifications], [1, 1]);
    });
  });
});

describe("security events, killed at any moment", () => {
  it("do what they do once, and none is lost", async () => {
    const transmitter = await SsfTransmitter.start();
    transmitter.holdFor = 100;
    const poll = { url: `${transmitter.url}/poll`, tokenFile: pollFile, pause: 1 };
    const issuer = {
      name: "IdP",
      issuer: transmitter.url,
      clientId: "sallyport-cli",
      securityEvents: { poll },
    };
    const plane = await KillablePlane.prepare("version: 1\nmembers: []\nengagements: []\n", {
      issuers: [issuer],
    });
    transmitter.audience = plane.url;
    await plane.start();
    const db = await plane.database();
    const people = Array.from({ length: 12 }, (_, index) => `person-${index}`);
    for (const [index, subject] of people.entries()) {
      const id = `mem_${String(index).padStart(26, "0")}`;
      await saveMember(db, { id, name: subject, email: null, vendor: "v", created_at: 0, account: null });
      await pinIdentity(db, { issuer: transmitter.url, subject, member_id: id, pinned_at: 0 });
    }
    await db.destroy();
    let kill: Promise<void> | undefined;
    const steps = ["as they are asked for", "before an acknowledgement counts", "as it counts"];
    for (const [step, name] of steps.entries()) {
      for (const subject of people.slice(step * 4, step * 4 + 4)) {
        const sub_id = { format: "opaque", id: subject };
        transmitter.offer(await transmitter.set({ [`${RISC}account-disabled`]: {} }, { sub_id }));
      }
      kill = undefined;
      transmitter.admitPoll = ({ ack = [] }) => {
        if (kill !== undefined) return true;
        if (step === 0) kill = plane.kill();
        else if (ack.length > 0) {
          kill = plane.kill();
          return step === 2;
        }
        return true;
      };
      await until(() => kill !== undefined);
      await kill;
      await plane.start();
      await until(() => transmitter.waiting.size === 0);
      const stored = await plane.database();
      const targets = (await listRevocations(stored)).map(({ target }) => target);
      const expected = people
        .slice(0, step * 4 + 4)
        .map((subject) => identityTarget(transmitter.url, subject));
      assert.deepEqual(targets.toSorted(), expected.toSorted(), name);
      await stored.destroy();
    }
    assert.deepEqual([plane.endedAlone, transmitter.violations], [[], []]);
    await plane.close();
    await transmitter.close();
  });
});
