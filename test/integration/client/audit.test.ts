import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSignIn } from "@sallyport/client/state/sign-in-state.ts";
import { sql } from "kysely";
import { call, signIn } from "../control-plane/support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "../control-plane/support/control-plane.ts";
import { connect, enrol, makeRecording } from "../control-plane/support/host.ts";
import { Machine } from "./fixtures/sallyport.ts";

describe("sallyport audit, with a real control plane", () => {
  let plane: TestControlPlane;
  let auditor: Machine;
  let contractor: Machine;
  let session: string;
  let key: string;

  const signedInMachine = async (sub: string): Promise<Machine> => {
    const { apiToken, apiTokenExpiresAt, me } = await signIn(plane.url, plane.idp.issuer, sub);
    const machine = new Machine();
    mkdirSync(machine.home, { mode: 0o700 });
    writeSignIn(machine, {
      v: 1,
      server: plane.url,
      apiToken,
      apiTokenExpiresAt,
      certificate: null,
      me,
      formerHosts: [],
      hostCaKeys: [],
    });
    return machine;
  };
  const path = (name: string) => join(auditor.directory, name);
  /** Runs SQL on the database behind the control plane's back, and what undoes it afterwards. */
  const tampered = async (change: string, undo: string, work: () => Promise<void>): Promise<void> => {
    const database = await plane.database();
    const run = async (statements: string) => {
      for (const statement of statements.split(";")) await sql.raw(statement).execute(database);
    };
    await run(change);
    try {
      await work();
    } finally {
      await run(undo);
      await database.destroy();
    }
  };

  before(async () => {
    plane = await startTestControlPlane();
    const host = await enrol(plane.url, await plane.joinToken("web-1"));
    contractor = await signedInMachine("dana");
    auditor = await signedInMachine("audrey");
    const token = JSON.parse(readFileSync(join(contractor.home, "sign-in.json"), "utf8"));
    const person = { id: token.me.memberId, issuer: plane.idp.issuer, subject: "dana" };
    const recording = makeRecording(host, person);
    const link = await connect(plane.url, host);
    for (const block of recording.blocks) link.socket.send(block.bytes);
    for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
    await link.close();
    session = recording.session;
    const { apiToken } = JSON.parse(readFileSync(join(auditor.home, "sign-in.json"), "utf8"));
    key = String((await call(plane.url, "GET", "/audit/key", { token: apiToken })).body).trim();
  });
  after(async () => {
    await plane.close();
    auditor.remove();
    contractor.remove();
  });

  it("exports, and verifies offline with only the public key and an earlier checkpoint", async () => {
    const earlier = await auditor.run("audit", "checkpoint");
    assert.equal(earlier.status, 0, earlier.stderr);
    writeFileSync(path("earlier"), earlier.stdout);
    const exported = await auditor.run("audit", "export", "--output", path("log.jsonl"), "--json");
    assert.equal(exported.status, 0, exported.stderr);
    const { entries } = JSON.parse(exported.stdout);
    assert.equal(statSync(path("log.jsonl")).mode & 0o777, 0o600);
    const offline = new Machine();
    try {
      const args = ["audit", "verify", path("log.jsonl"), "--key", key, "--since", path("earlier")];
      const verified = await offline.run(...args);
      assert.equal(verified.status, 0, verified.stderr);
      assert.match(
        verified.stdout,
        /^The audit log \S+\/audit-[0-9a-f]{8} holds: \d+ entries\.\nIt goes on from the earlier checkpoint of \d+ entries\.\nRoot: \S{44}\nSigned by \S+\.\n$/,
      );
      const asJson = JSON.parse((await offline.run(...args, "--json")).stdout);
      assert.deepEqual([asJson.verified, asJson.size, asJson.key], [true, entries, key]);
    } finally {
      offline.remove();
    }
  });

  it("exports from an entry on, which verifies too", async () => {
    const exported = await auditor.run("audit", "export", "--from", "3");
    assert.equal(exported.status, 0, exported.stderr);
    const [header, first] = exported.stdout.split("\n");
    assert.deepEqual([JSON.parse(header ?? "").from, JSON.parse(first ?? "").index], [3, 3]);
    writeFileSync(path("tail.jsonl"), exported.stdout);
    const verified = await auditor.run("audit", "verify", path("tail.jsonl"));
    assert.equal(verified.status, 0, verified.stderr);
    assert.match(verified.stdout, /holds: entries 3 to \d+\.\n/);
    assert.match(verified.stdout, /, as the export says; compare it/);
    const since = await auditor.run("audit", "verify", "--since", path("tail.jsonl"));
    assert.equal(since.status, 0, since.stderr);
    assert.equal((await auditor.run("audit", "export", "--from", "1000000")).status, 2);
  });

  it("finds what was changed in the database, and names the entry", async () => {
    await tampered(
      "update audit_events set actor = 'x' || actor where leaf_index = 2",
      "update audit_events set actor = substr(actor, 2) where leaf_index = 2",
      async () => {
        const { status, stderr } = await auditor.run("audit", "verify");
        assert.deepEqual(
          [status, stderr],
          [7, "sallyport: Entry 2 was changed: it does not have the hash that the log has for it.\n"],
        );
      },
    );
    await tampered(
      "create table kept as select * from audit_events where leaf_index = 4; delete from audit_events where leaf_index = 4",
      "insert into audit_events select * from kept; drop table kept",
      async () => {
        const { status, stderr } = await auditor.run("audit", "verify");
        assert.deepEqual(
          [status, stderr],
          [7, "sallyport: Entry 4 is missing: number 5 stands in its place.\n"],
        );
      },
    );
    assert.equal((await auditor.run("audit", "verify")).status, 0);
  });

  it("shows that a recording is in the log", async () => {
    for (const machine of [auditor, contractor]) {
      const { status, stdout, stderr } = await machine.run("verify", session);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^Audit log: entry \d+ of \d+ in \S+\/audit-[0-9a-f]{8}\.$/m);
    }
    const { logged } = JSON.parse((await auditor.run("verify", session, "--json")).stdout);
    assert.equal(logged.key, key);
    await tampered(
      "update audit_events set data_json = replace(data_json, '\"headHash\":\"', '\"headHash\":\"0') where type = 'recording-complete'",
      "update audit_events set data_json = replace(data_json, '\"headHash\":\"0', '\"headHash\":\"') where type = 'recording-complete'",
      async () => {
        const { status, stderr } = await auditor.run("verify", session);
        assert.deepEqual(
          [status, stderr],
          [7, "sallyport: The proof that this recording is in the audit log does not hold.\n"],
        );
      },
    );
    await tampered(
      "update recordings set leaf_index = leaf_index - 1",
      "update recordings set leaf_index = leaf_index + 1",
      async () => {
        const { status, stderr } = await auditor.run("verify", session);
        assert.equal(status, 7);
        assert.match(stderr, /The entry of the audit log is not one of a recording/);
      },
    );
  });

  it("is for the security team", async () => {
    for (const args of [["checkpoint"], ["export"], ["verify"]]) {
      const { status, stdout, stderr } = await contractor.run("audit", ...args);
      assert.deepEqual(
        [status, stdout, stderr],
        [
          6,
          "",
          "sallyport: This takes the permission audit:read, which the role contractor does not have.\n",
        ],
      );
    }
  });

  it("is called rightly", async () => {
    const wrong = [
      ["export", "--json"],
      ["export", "--from", "1.5"],
      ["verify", "--key", "nothing"],
      ["verify", path("nothing")],
      ["verify", "--since", path("nothing")],
    ];
    for (const args of wrong) assert.equal((await auditor.run("audit", ...args)).status, 2, args.join(" "));
  });
});
