import assert from "node:assert/strict";
import { addRevocation, revocationHead } from "@sallyport/control-plane/database/revocations.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import type { RevocationResponse } from "@sallyport/core/messages/client-api.ts";
import {
  COMMANDS_CAPABILITY,
  REVOCATIONS_CAPABILITY,
  type ServerMessage,
} from "@sallyport/core/messages/host-link.ts";
import { SessionId } from "@sallyport/core/names.ts";
import type { Bundle, Lease } from "@sallyport/core/policy/bundle.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { decodeJwt } from "jose";
import type { z } from "zod";
import { ListCopy } from "../../fixtures/list-copy.ts";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, type TestHost, type TestLink } from "./support/host.ts";

const CAPABILITIES = [COMMANDS_CAPABILITY, REVOCATIONS_CAPABILITY];
const SESSION = SessionId.parse("ses_01m83qvpsktkyba2p9mdgsg148");

describe("the revocation list on its way to hosts", () => {
  let plane: TestControlPlane;
  let db: Database;
  let admin: string;
  let host: TestHost;
  const links: TestLink[] = [];

  before(async () => {
    // Leases are renewed at a third of it.
    plane = await startTestControlPlane({ lease: 3 });
    db = await plane.database();
    admin = (await signIn(plane.url, plane.idp.issuer, "sam")).apiToken;
  });
  after(async () => {
    await db?.destroy();
    await plane?.close();
  });
  beforeEach(async () => {
    host = await enrol(plane.url, await plane.joinToken("web-1"));
  });
  afterEach(async () => {
    await Promise.all(links.splice(0).map((link) => link.close()));
  });

  let digit = 0;
  const store = (changes: Partial<Revocation> = {}) =>
    addRevocation(db, {
      ...{ id: newId(plane.environment, "rev"), level: "key", target: `SHA256:stored-${digit++}` },
      ...{ at: 1, by: "test", reason: "test", ...changes },
    });
  const post = async (path: string, body: object) => {
    const answer = await call(plane.url, "POST", path, { token: admin, body });
    assert.equal(answer.status, 201, answer.message);
    return answer.body as z.infer<typeof RevocationResponse>;
  };
  const revoke = (level = "key", target = `SHA256:${String(digit++).padStart(43, "0")}`) =>
    post("/revocations", { level, target, reason: "test" });
  const open = async (has: Parameters<typeof connect>[2] = {}) => {
    const link = await connect(plane.url, host, { capabilities: CAPABILITIES, ...has });
    links.push(link);
    return link;
  };
  const bundleOf = async (link: TestLink) => {
    const bundle = decodeJwt<Bundle>((await link.next("bundle")).jws);
    link.send({ type: "bundle-ack", version: bundle.version });
    return bundle;
  };
  /** One that is up to date, with what it has. */
  const current = async () => {
    const copy = new ListCopy();
    const link = await open();
    const head = await revocationHead(db);
    while (copy.sequence < head.sequence) copy.take(await link.next("revocations"));
    if (copy.sequence > 0) link.send({ type: "revocation-ack", sequence: copy.sequence, endedSessions: [] });
    const bundle = await bundleOf(link);
    return { link, copy, bundle };
  };
  const row = () => db.selectFrom("hosts").selectAll().where("id", "=", host.id).executeTakeFirstOrThrow();
  const until = async (look: () => Promise<boolean>) => {
    while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const isStored = (sequence: number) => until(async () => (await row()).revocation_sequence === sequence);
  const echoOf = ({ hosts }: z.infer<typeof RevocationResponse>) => {
    const { acknowledged, endedSessions } = hosts.find((one) => one.host === "web-1") ?? assert.fail();
    return { acknowledged, endedSessions };
  };
  const policyTypes = (link: TestLink) =>
    link.types.filter((type) => ["bundle", "lease", "revocation", "revocations"].includes(type));

  it("comes before the bundle, and before the lease, of a connection", async () => {
    await store();
    const { link, copy, bundle } = await current();
    assert.deepEqual(policyTypes(link), ["revocations", "bundle"]);
    assert.deepEqual([bundle.revocations, bundle.revocationSequence], [[], copy.sequence]);
    assert.equal(bundle.revocationChain, copy.chain);
    await link.close();
    await store();
    const has = { revocationSequence: copy.sequence, revocationChain: copy.chain };
    const again = await open({ bundleVersion: bundle.version, ...has });
    const lease = decodeJwt<Lease>((await again.next("lease")).jws);
    assert.deepEqual(policyTypes(again), ["revocations", "lease"]);
    copy.take(await again.next("revocations"));
    assert.deepEqual([lease.revocationSequence, lease.revocationChain], [copy.sequence, copy.chain]);
    assert.deepEqual(copy.wrong, []);
  });

  it("is pushed, acknowledged, and what each host says is kept", async () => {
    const { link, copy } = await current();
    const begun = plane.environment.clock();
    const revoking = revoke();
    copy.take(await link.next("revocations"));
    link.send({ type: "revocation-ack", sequence: copy.sequence, endedSessions: [SESSION] });
    const answer = await revoking;
    assert.equal(answer.sequence, copy.sequence);
    assert.deepEqual(echoOf(answer), { acknowledged: true, endedSessions: [SESSION] });
    assert.deepEqual(copy.wrong, []);
    await isStored(copy.sequence);
    const stored = await row();
    assert.ok((stored.revocation_acknowledged_at ?? 0) >= Math.floor(begun / 1000));
    assert.ok(stored.lease_until > begun / 1000);
    const ended = await db
      .selectFrom("revocation_acknowledgements")
      .selectAll()
      .where("sequence", "=", copy.sequence)
      .execute();
    assert.deepEqual(
      ended.map(({ host_id, ended_sessions_json }) => [host_id, ended_sessions_json]),
      [[host.id, JSON.stringify([SESSION])]],
    );
    assert.ok((ended[0]?.at_ms ?? 0) >= begun);
  });

  it("keeps an answer that comes after everybody has stopped waiting", async () => {
    const { link, copy } = await current();
    const answer = await revoke();
    assert.deepEqual(echoOf(answer), { acknowledged: false, endedSessions: [] });
    copy.take(await link.next("revocations"));
    link.send({ type: "revocation-ack", sequence: copy.sequence, endedSessions: [SESSION] });
    await isStored(copy.sequence);
  });

  it("makes no new bundle", async () => {
    const { link, copy, bundle } = await current();
    const revoking = revoke();
    copy.take(await link.next("revocations"));
    link.send({ type: "revocation-ack", sequence: copy.sequence, endedSessions: [] });
    await revoking;
    await plane.running.reloadPolicy();
    assert.equal((await row()).bundle_version, bundle.version);
  });

  it("is followed by a signed word at once when it gives something back", async () => {
    const { link, copy } = await current();
    for (const path of ["/revocations", "/revocations/lift"]) {
      const done = post(path, { level: "vendor", target: "vendor", reason: "test" });
      copy.take(await link.next("revocations"));
      link.send({ type: "revocation-ack", sequence: copy.sequence, endedSessions: [] });
      await done;
    }
    const begun = performance.now();
    for (;;) {
      const { revocationSequence, revocationChain } = decodeJwt<Lease>((await link.next("lease")).jws);
      if (revocationSequence < copy.sequence) continue;
      assert.equal(revocationChain, copy.chain);
      break;
    }
    // Without it, the next one would come after a second.
    assert.ok(performance.now() - begun < 500);
  });

  it("goes out with the next lease at the latest when whoever stored an entry died before telling", async () => {
    const { link, copy } = await current();
    const { sequence } = await store();
    copy.take(await link.next("revocations"));
    assert.equal(copy.sequence, sequence);
  });

  it("goes out after a restart when the control plane died before telling", async () => {
    const { copy, bundle } = await current();
    const { id } = await store();
    await plane.restart();
    const has = { revocationSequence: copy.sequence, revocationChain: copy.chain };
    const link = await open({ bundleVersion: bundle.version, ...has });
    const page = await link.next("revocations");
    assert.deepEqual(
      page.entries.map((entry) => entry.id),
      [id],
    );
  });

  describe("counts for no more than a host has said:", () => {
    it("an answer to what it was never sent is none", async () => {
      const { link, copy } = await current();
      await isStored(copy.sequence);
      link.send({ type: "revocation-ack", sequence: copy.sequence + 1000, endedSessions: [] });
      const revoking = revoke();
      copy.take(await link.next("revocations"));
      assert.deepEqual(echoOf(await revoking), { acknowledged: false, endedSessions: [] });
      assert.ok((await row()).revocation_sequence < copy.sequence);
    });

    it("that it has entries is not yet that they are in force, and it is asked", async () => {
      await store();
      const { sequence, chain } = await revocationHead(db);
      const link = await open({ revocationSequence: sequence, revocationChain: chain });
      const page = await link.next("revocations");
      assert.deepEqual([page.after, page.entries], [sequence, []]);
      assert.equal((await row()).revocation_sequence, 0);
      link.send({ type: "revocation-ack", sequence, endedSessions: [] });
      await isStored(sequence);
    });

    const less: [name: string, has: (copy: ListCopy) => object, left: (copy: ListCopy) => number][] = [
      ["nothing, as after it was installed anew", () => ({}), () => 0],
      [
        "another list",
        ({ sequence }) => ({ revocationSequence: sequence, revocationChain: "another" }),
        () => 0,
      ],
    ];
    for (const [name, has, left] of less) {
      it(`one that comes back with ${name}, has no more`, async () => {
        await store();
        const { link, copy } = await current();
        await isStored(copy.sequence);
        await link.close();
        const again = await open(has(copy));
        await isStored(left(copy));
        const whole = new ListCopy();
        while (whole.sequence < copy.sequence) whole.take(await again.next("revocations"));
        assert.deepEqual([whole.chain, whole.wrong], [copy.chain, []]);
      });
    }
  });

  it("is sent again to a host that asks, though not as often as it likes, with a lease after it", async () => {
    await store();
    const { link, copy } = await current();
    const pages = () => link.types.filter((type) => type === "revocations").length;
    const before = pages();
    for (let each = 0; each < 200; each++) link.send({ type: "revocations-query", after: 0 });
    const whole = new ListCopy();
    whole.take(await link.next("revocations"));
    assert.equal(whole.chain, copy.chain);
    const { revocationChain } = decodeJwt<Lease>((await link.next("lease")).jws);
    assert.equal(revocationChain, copy.chain);
    assert.equal(pages(), before + 1);
  });

  describe("of a host of before it was kept apart", () => {
    const older = () => open({ capabilities: [COMMANDS_CAPABILITY] });
    /** What comes on the wire, as such a host's strict schema would see it. */
    const raw = (link: TestLink) => {
      const messages: Record<string, unknown>[] = [];
      link.socket.on("message", (data: Buffer) => messages.push(JSON.parse(data.toString())));
      return messages as { type: ServerMessage["type"]; entry?: Record<string, unknown> }[];
    };

    it("has it in its bundle, in the words that it knows", async () => {
      await post("/revocations", { level: "vendor", target: "vendor", reason: "test" });
      const link = await older();
      const bundle = await bundleOf(link);
      const levels = new Set(bundle.revocations.map(({ level }) => level));
      assert.ok(levels.has("member") && levels.has("engagement"));
      assert.ok([...levels].every((level) => !["vendor", "identity", "issuer"].includes(level)));
      assert.ok(bundle.revocations.every((entry) => !("before" in entry)));
      for (const key of ["revocationChain", "silentIssuers"]) assert.ok(!(key in bundle), key);
      assert.ok(bundle.engagements.length > 0);
      assert.ok(bundle.engagements.every((engagement) => !("idpGrace" in engagement)));
      const lease = decodeJwt<Lease>((await link.next("lease")).jws);
      assert.ok(!("revocationChain" in lease));
      await isStored(bundle.revocationSequence);
      await post("/revocations/lift", { level: "vendor", target: "vendor", reason: "test" });
      const lifted = await bundleOf(link);
      const left = lifted.revocations.filter(({ level }) => level === "member" || level === "engagement");
      assert.deepEqual(left, []);
    });

    it("is pushed to it in single entries, and its bundle follows", async () => {
      const link = await older();
      const { version } = await bundleOf(link);
      const messages = raw(link);
      const { sequence: newest } = await revocationHead(db);
      link.send({ type: "revocation-ack", sequence: newest + 1, endedSessions: [] }); // nobody's; it stops nothing
      link.send({ type: "recording-query", recording: SESSION });
      await link.next("recording-offset");
      const revoking = revoke();
      const { entry } = await link.next("revocation");
      link.send({ type: "revocation-ack", sequence: entry.sequence, endedSessions: [SESSION] });
      assert.deepEqual(echoOf(await revoking), { acknowledged: true, endedSessions: [SESSION] });
      const bundle = await bundleOf(link);
      assert.ok(bundle.version > version && bundle.revocationSequence === entry.sequence);
      const pushed = messages.find(({ type }) => type === "revocation")?.entry ?? assert.fail();
      assert.ok(!("before" in pushed));
      assert.ok(!link.types.includes("revocations"));
      await isStored(entry.sequence);
    });
  });
});
