import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { audit } from "@sallyport/control-plane/audit/audit.ts";
import { treeHeadAt } from "@sallyport/control-plane/audit/tree-head.ts";
import { type RunningControlPlane, startControlPlane } from "@sallyport/control-plane/control-plane.ts";
import { inTransaction } from "@sallyport/control-plane/database/open-database.ts";
import { addRevocation, revocationHead } from "@sallyport/control-plane/database/revocations.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import type { RevocationResponse } from "@sallyport/core/messages/client-api.ts";
import type { HostView } from "@sallyport/core/messages/engagements.ts";
import { COMMANDS_CAPABILITY, REVOCATIONS_CAPABILITY } from "@sallyport/core/messages/host-link.ts";
import { SessionId } from "@sallyport/core/names.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import { openCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { parseVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import { sql } from "kysely";
import { stringify } from "yaml";
import type { z } from "zod";
import { ListCopy } from "../../fixtures/list-copy.ts";
import { printed } from "../../fixtures/processes.ts";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, makeRecording, type TestHost, type TestLink } from "./support/host.ts";

const PROGRAM = new URL("../../../control-plane/src/main.ts", import.meta.url).pathname;

describe("two replicas behind one PostgreSQL", () => {
  let a: TestControlPlane;
  let b: RunningControlPlane;
  let db: Database;
  let directory: string;
  let admin: string;
  let hosts: TestHost[];
  const links: TestLink[] = [];

  before(async () => {
    a = await startTestControlPlane({ postgres: true });
    directory = mkdtempSync(join(tmpdir(), "sallyport-replica-"));
    b = await startControlPlane({
      config: configOf("b"),
      environment: a.environment,
      databaseUrl: a.databaseUrl,
    });
    db = await a.database();
    admin = (await signIn(a.url, a.idp.issuer, "sam")).apiToken;
    hosts = [];
    for (const name of ["web-1", "web-2"]) hosts.push(await enrol(a.url, await a.joinToken(name)));
  });
  after(async () => {
    await b?.close();
    await db?.destroy();
    await a?.close();
    rmSync(directory, { recursive: true, force: true });
  });
  afterEach(async () => {
    await Promise.all(links.splice(0).map((link) => link.close()));
  });

  /** As an operator has it: the same keys, the same recordings, the same URL. */
  function configOf(name: string) {
    const dataDirectory = join(directory, name);
    mkdirSync(dataDirectory, { mode: 0o700 });
    mkdirSync(join(a.directory, "recordings"), { recursive: true, mode: 0o700 });
    cpSync(join(a.directory, "keys"), join(dataDirectory, "keys"), { recursive: true });
    symlinkSync(join(a.directory, "recordings"), join(dataDirectory, "recordings"));
    return { ...a.config, url: a.url, dataDirectory };
  }

  const host = (index: number) => hosts[index] ?? assert.fail();
  const open = async (url: string, which: TestHost) => {
    const link = await connect(url, which);
    links.push(link);
    const bundle = await link.next("bundle");
    link.send({ type: "bundle-ack", version: versionIn(bundle.jws) });
    return link;
  };
  const versionIn = (jws: string) =>
    (JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString()) as { version: number }).version;
  const connectedAt = async (url: string) => {
    const { body } = await call(url, "GET", "/hosts", { token: admin });
    return (body as z.infer<typeof HostView>[])
      .filter((one) => one.connected)
      .map(({ name }) => name)
      .toSorted();
  };
  const until = async (look: () => Promise<boolean>) => {
    while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const revokeKey = (url: string, digit: string) =>
    call(url, "POST", "/revocations", {
      token: admin,
      body: { level: "key", target: `SHA256:${digit.repeat(43)}`, reason: "test" },
    });
  const acknowledge = async (link: TestLink, endedSessions: SessionId[] = []): Promise<Revocation> => {
    const { entry } = await link.next("revocation");
    link.send({ type: "revocation-ack", sequence: entry.sequence, endedSessions });
    return entry;
  };

  it("have one answer to a revocation, with the hosts of both", async () => {
    const [here, there] = [await open(a.url, host(0)), await open(b.url, host(1))];
    await until(async () => (await connectedAt(a.url)).length === 2);
    const ended = ["ses_01m83qvpsktkyba2p9mdgsg148", "ses_01m83qvpsktkyba2p9mdgsg149"].map((id) =>
      SessionId.parse(id),
    );
    for (const [url, digit] of [
      [a.url, "a"],
      [b.url, "b"],
    ] as const) {
      const begun = performance.now();
      const revoking = revokeKey(url, digit);
      const entries = await Promise.all([
        acknowledge(here, ended.slice(0, 1)),
        acknowledge(there, ended.slice(1)),
      ]);
      const { status, body } = await revoking;
      assert.equal(status, 201);
      const took = performance.now() - begun;
      assert.ok(took < 1500, `${took} ms`);
      const answer = body as z.infer<typeof RevocationResponse>;
      assert.deepEqual(
        entries.map((entry) => entry.sequence),
        [answer.sequence, answer.sequence],
      );
      assert.deepEqual(
        answer.hosts.map(({ host, acknowledged, endedSessions }) => ({ host, acknowledged, endedSessions })),
        ["web-1", "web-2"].map((name, index) => ({
          host: name,
          acknowledged: true,
          endedSessions: ended.slice(index, index + 1),
        })),
      );
    }
  });

  it("have the whole list on hosts that keep it apart, without a gap, however both revoke at once", async () => {
    const capabilities = [COMMANDS_CAPABILITY, REVOCATIONS_CAPABILITY];
    const copies = await Promise.all(
      [a.url, b.url].map(async (url, index) => {
        const link = await connect(url, host(index), { capabilities });
        links.push(link);
        const bundle = await link.next("bundle");
        link.send({ type: "bundle-ack", version: versionIn(bundle.jws) });
        return { link, copy: new ListCopy() };
      }),
    );
    await until(async () => (await connectedAt(a.url)).length === 2);
    const bundleVersions = () =>
      db.selectFrom("hosts").select(["id", "bundle_version"]).orderBy("id").execute();
    const versions = await bundleVersions();
    const answering = copies.map(async ({ link, copy }) => {
      for (;;) {
        copy.take(await link.next("revocations"));
        if (copy.sequence > 0)
          link.send({ type: "revocation-ack", sequence: copy.sequence, endedSessions: [] });
      }
    });
    for (const one of answering) one.catch(() => {}); // the link's end
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => revokeKey(index % 2 === 0 ? a.url : b.url, String(index))),
    );
    for (const { body } of answers) {
      const { hosts: told } = body as z.infer<typeof RevocationResponse>;
      assert.ok(told.filter(({ host: name }) => /^web-[12]$/.test(name)).every((one) => one.acknowledged));
    }
    const head = await revocationHead(db);
    for (const { copy, link } of copies) {
      assert.deepEqual(
        { sequence: copy.sequence, chain: copy.chain, wrong: copy.wrong },
        { ...head, wrong: [] },
      );
      assert.equal(copy.entries, head.sequence, "nothing came twice");
      assert.ok(!link.types.includes("revocation"));
    }
    assert.deepEqual(await bundleVersions(), versions, "a revocation makes no new bundle");
  });

  it("answer after 2 s when a host of the other replica is silent, and say that it was", async () => {
    const [here, there] = [await open(a.url, host(0)), await open(b.url, host(1))];
    await until(async () => (await connectedAt(a.url)).length === 2);
    const begun = performance.now();
    const revoking = revokeKey(a.url, "c");
    await acknowledge(here);
    await there.next("revocation");
    const { body } = await revoking;
    assert.ok(performance.now() - begun < 3000);
    const acknowledged = (body as z.infer<typeof RevocationResponse>).hosts.map((one) => [
      one.host,
      one.acknowledged,
    ]);
    assert.deepEqual(acknowledged.toSorted(), [
      ["web-1", true],
      ["web-2", false],
    ]);
  });

  it("show on both which hosts are connected to either", async () => {
    const here = await open(a.url, host(0));
    await open(b.url, host(1));
    for (const url of [a.url, b.url])
      await until(async () => (await connectedAt(url)).join() === "web-1,web-2");
    await here.close();
    for (const url of [a.url, b.url]) await until(async () => (await connectedAt(url)).join() === "web-2");
  });

  it("close the link of a host that has connected to the other", async () => {
    const older = await open(a.url, host(0));
    await open(b.url, host(0));
    assert.equal((await older.closed).code, 4409);
    await until(async () => (await connectedAt(a.url)).join() === "web-1");
  });

  it("close the link of a host that was replaced at the other", async () => {
    const old = await enrol(a.url, await a.joinToken("web-9"));
    const link = await connect(b.url, old);
    await enrol(a.url, await a.joinToken("web-9"));
    assert.equal((await link.closed).code, 4403);
  });

  const policyWith = (name: string) =>
    stringify({
      version: 1,
      members: [{ name: "Dana Doe", email: "dana@vendor.test", vendor: "vendor" }],
      engagements: [
        {
          ...{ name, vendor: "vendor", members: ["dana@vendor.test"], hosts: { names: ["web-1", "web-2"] } },
          ...{ accounts: ["deploy"], start: "2020-01-01", end: "2090-01-01", contact: "sec@acme.test" },
        },
      ],
    });
  const hasBundleWith = async (link: TestLink, name: string) => {
    const { jws } = await link.next("bundle");
    assert.ok(Buffer.from(jws.split(".")[1] ?? "", "base64url").includes(`"${name}"`), name);
    link.send({ type: "bundle-ack", version: versionIn(jws) });
  };

  it("tell the hosts of both of a policy that one has read", async () => {
    const both = [await open(a.url, host(0)), await open(b.url, host(1))];
    a.writePolicy(policyWith("read-by-a"));
    const begun = performance.now();
    const reloading = a.running.reloadPolicy();
    for (const link of both) await hasBundleWith(link, "read-by-a");
    await reloading;
    // It was told that the host of the other has it, too.
    assert.ok(performance.now() - begun < 1500);
  });

  it("tell hosts of what a replica stored that died before it told anybody", async () => {
    const both = [await open(a.url, host(0)), await open(b.url, host(1))];
    await applyPolicy(db, a.environment, { text: policyWith("read-by-a-dead-one"), file: "policy.yaml" });
    for (const link of both) await hasBundleWith(link, "read-by-a-dead-one");
    await storeRevocation("SHA256:dead");
    for (const link of both) assert.equal((await acknowledge(link)).target, "SHA256:dead");
  });

  const storeRevocation = (target: string) =>
    inTransaction(db, async (transaction) => {
      const { environment } = a;
      const id = newId(environment, "rev");
      await addRevocation(transaction, { id, level: "key", target, at: 1, by: "test", reason: "test" });
      await audit(transaction, environment, { type: "revoked", actor: "test", data: { target } });
    });

  it("find what they missed while nobody could tell them", async () => {
    const link = await open(b.url, host(1));
    // In one transaction: the listeners are gone when the notification goes out.
    await inTransaction(db, async (transaction) => {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'sallyport listener' and datname = current_database()`.execute(transaction);
      const { environment } = a;
      const id = newId(environment, "rev");
      const entry = { id, level: "key" as const, target: "SHA256:missed", at: 1, by: "test", reason: "test" };
      await addRevocation(transaction, entry);
      await audit(transaction, environment, { type: "revoked", actor: "test", data: {} });
    });
    assert.equal((await acknowledge(link)).target, "SHA256:missed");
    // And they listen again.
    const begun = performance.now();
    const revoking = revokeKey(a.url, "d");
    await acknowledge(link);
    await revoking;
    assert.ok(performance.now() - begun < 1500);
  });

  it("go on where the other has stopped with a recording", async () => {
    const member = { id: "mem_1", issuer: a.idp.issuer, subject: "dana" };
    const { session, blocks } = makeRecording(host(0), member, {
      outputs: Array.from({ length: 20 }, (_, index) => `line ${index}\r\n`),
    });
    for (let next = 0; next < blocks.length; ) {
      const link = await open(next % 2 === 0 ? a.url : b.url, host(0));
      link.send({ type: "recording-query", recording: session });
      assert.equal((await link.next("recording-offset")).nextSequence, next);
      for (const block of blocks.slice(next, next + 5)) link.socket.send(block.bytes);
      next = Math.min(next + 5, blocks.length);
      while ((await link.next("recording-offset")).nextSequence < next);
    }
    await isWhole(session, blocks.length);
  });

  it("store a recording once that comes to both at the same time", async () => {
    const member = { id: "mem_1", issuer: a.idp.issuer, subject: "dana" };
    const outputs = Array.from({ length: 60 }, (_, index) => `${index} ${"x".repeat(index * 50)}\r\n`);
    const { session, blocks } = makeRecording(host(0), member, { outputs });
    // The link to A is dead, as A will find; what was on its way is stored nevertheless.
    const [one, other] = [await connect(a.url, host(0)), await connect(b.url, host(0))];
    links.push(one, other);
    for (const block of blocks) {
      one.socket.send(block.bytes);
      other.socket.send(block.bytes);
      if (block.sequence % 7 === 0) await new Promise(setImmediate);
    }
    await until(async () => {
      other.send({ type: "recording-query", recording: session });
      const { nextSequence, complete } = await other.next("recording-offset");
      if (complete) return true;
      for (const block of blocks.slice(nextSequence)) other.socket.send(block.bytes);
      return false;
    });
    await isWhole(session, blocks.length);
    const ends = await db
      .selectFrom("audit_events")
      .select("id")
      .where("type", "=", "recording-complete")
      .where("data_json", "like", `%${session}%`)
      .execute();
    assert.equal(ends.length, 1);
  });

  const isWhole = async (session: string, blocks: number) => {
    const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: host(0).hostKey } });
    const stored = await fetch(`${b.url}/api/v1/sessions/${session}/recording`, {
      headers: { authorization: `Bearer ${admin}` },
    });
    assert.equal(stored.headers.get("x-sallyport-complete"), "true");
    const verified = verifyRecording(new Uint8Array(await stored.arrayBuffer()), key);
    assert.equal(verified.blocks, blocks);
  };

  it("sign one history of the audit log, at both in turn and at once", async () => {
    const { body } = await call(a.url, "GET", "/audit/checkpoint", { token: admin });
    const first = String(body);
    for (let round = 0; round < 8; round++) {
      await Promise.all([
        ...[a.url, b.url].map((url) => call(url, "GET", "/audit/checkpoint", { token: admin })),
        ...[1, 2, 3].map((n) =>
          audit(db, a.environment, { type: "host-event", actor: "test", data: { round, n } }),
        ),
      ]);
    }
    const [last, also] = await Promise.all(
      [a.url, b.url].map(async (url) => (await call(url, "GET", "/audit/checkpoint", { token: admin })).body),
    );
    assert.ok(last !== first && also !== first);
    const notes = await db.selectFrom("audit_checkpoints").selectAll().orderBy("size").execute();
    assert.ok(notes.length > 3);
    const { body: key } = await call(a.url, "GET", "/audit/key", { token: admin });
    const verifier = parseVerifierKey(String(key).trim());
    for (const { note, size } of notes) {
      const checkpoint = openCheckpoint(note, verifier);
      assert.deepEqual({ size, root: checkpoint.root }, await treeHeadAt(db, size));
    }
  });

  describe("and a third as a process", () => {
    let child: ChildProcess;
    let url: string;
    let out = "";
    let config: string;
    const serve = async () => {
      child = spawn(process.execPath, [PROGRAM, "serve", "--config", config], {
        env: { ...process.env, DATABASE_URL: a.databaseUrl },
        stdio: ["ignore", "pipe", "pipe"],
      });
      child.stderr?.on("data", (chunk) => {
        out += String(chunk);
      });
      child.stdout?.on("data", (chunk) => {
        out += String(chunk);
      });
      await printed(child, /"listening"/);
    };
    before(async () => {
      const { dataDirectory, issuers, staff } = configOf("c");
      const port = 20_000 + Math.floor(Math.random() * 10_000);
      config = join(directory, "c.yaml");
      url = `http://127.0.0.1:${port}`;
      const listen = { address: "127.0.0.1", port };
      writeFileSync(
        config,
        stringify({
          ...{ version: 1, listen, url, dataDirectory, staff },
          issuers: issuers.map(({ name, issuer, clientId, mfa }) => ({
            ...{ name, issuer, clientId, mfa },
            check: { required: false },
          })),
        }),
      );
      await serve();
    });
    after(() => {
      child?.kill("SIGKILL");
    });

    it("loses its hosts when it is killed", async () => {
      await open(a.url, host(0));
      const link = await connect(url, host(1));
      await until(async () => (await connectedAt(a.url)).join() === "web-1,web-2");
      child.kill("SIGKILL");
      await once(child, "exit");
      await link.closed;
      await until(async () => (await connectedAt(a.url)).join() === "web-1");
    });

    it("never says the database's password", async () => {
      await serve();
      const password = new URL(a.databaseUrl ?? "").password;
      assert.ok(password.length > 20);
      child.kill("SIGTERM");
      await once(child, "exit");
      const wrong = `postgres://sallyport:${password}@127.0.0.1:1/x`;
      const args = [PROGRAM, "join-token", "--config", config, "--name", "x", "--address", "::1"];
      for (const DATABASE_URL of [wrong, `postgres://sallyport:${password}@:x:/`, `${a.databaseUrl}-none`]) {
        const failing = spawn(process.execPath, args, {
          env: { ...process.env, DATABASE_URL },
          stdio: ["ignore", "pipe", "pipe"],
        });
        let said = "";
        for (const stream of [failing.stdout, failing.stderr])
          stream.on("data", (chunk) => {
            said += String(chunk);
          });
        await once(failing, "close");
        assert.match(said, /DATABASE_URL/);
        out += said;
      }
      assert.ok(!out.includes(password), out);
      assert.ok(!readFileSync(config, "utf8").includes(password));
    });
  });
});
