import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSignIn } from "@sallyport/client/state/sign-in-state.ts";
import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { makeId } from "@sallyport/core/names.ts";
import { signIn } from "../control-plane/support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "../control-plane/support/control-plane.ts";
import { connect, enrol, makeRecording } from "../control-plane/support/host.ts";
import { Machine } from "./fixtures/sallyport.ts";

const DAY = 86_400_000;

/** A browser of its own kind: fetches the address, and writes down where it is sent. */
const BROWSER = `import { writeFileSync } from "node:fs";
const [file, address] = process.argv.slice(2);
const ask = () => fetch(address, { redirect: "manual" }).then(
  ({ status, headers }) => [status, headers.get("location")],
  () => [0, null],
);
writeFileSync(file, JSON.stringify([...(await ask()), (await ask())[0], address]));`;

describe("sallyport hold, web and export, with a real control plane", () => {
  let plane: TestControlPlane;
  let admin: Machine;
  let auditor: Machine;
  let contractor: Machine;
  let session: string;

  const signedInMachine = async (sub: string, machine = new Machine()): Promise<Machine> => {
    const { apiToken, apiTokenExpiresAt, me } = await signIn(plane.url, plane.idp.issuer, sub);
    mkdirSync(machine.home, { mode: 0o700, recursive: true });
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
  const ok = async (machine: Machine, ...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await machine.run(...args);
    assert.equal(status, 0, stderr);
    return stdout;
  };

  before(async () => {
    plane = await startTestControlPlane({ config: { retention: { vendors: { vendor: 90 } } } });
    const host = await enrol(plane.url, await plane.joinToken("web-1"));
    [admin, auditor, contractor] = (await Promise.all(
      ["sam", "audrey", "dana"].map((sub) => signedInMachine(sub)),
    )) as [Machine, Machine, Machine];
    const db = await plane.database();
    const engagement = await db
      .selectFrom("engagements")
      .select(["id", "name"])
      .where("name", "=", "web-work")
      .executeTakeFirstOrThrow();
    const { id = "" } =
      (await db.selectFrom("members").select("id").where("name", "=", "Dana Doe").executeTakeFirst()) ?? {};
    await db.destroy();
    const startedAt = Date.now();
    const recording = makeRecording(
      host,
      { id, issuer: plane.idp.issuer, subject: "dana" },
      { start: { engagement, startedAt }, serial: "77" },
    );
    session = recording.session;
    const link = await connect(plane.url, host);
    for (const block of recording.blocks) link.socket.send(block.bytes);
    for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
    const event = (change: Partial<HostEvent>): HostEvent => ({
      id: makeId("evt", Date.now(), crypto.getRandomValues(new Uint8Array(10))),
      at: startedAt + 1,
      type: "forward-opened",
      account: "deploy",
      sourceAddress: null,
      certificateSerial: "77",
      memberId: null,
      issuer: null,
      subject: null,
      engagementId: null,
      sessionId: null,
      code: null,
      detail: "db-1:5432",
      told: null,
      ...change,
    });
    for (const change of [
      {},
      { certificateSerial: "78", detail: "another login" },
      {
        type: "session-ended-by-policy",
        sessionId: session,
        at: startedAt + 500,
        code: "engagement-ended",
        detail: "over",
      },
    ] as Partial<HostEvent>[]) {
      link.send({ type: "event", event: event(change) });
      await link.next("event-ack");
    }
    await link.close();
  });
  after(async () => {
    await plane.close();
    for (const machine of [admin, auditor, contractor]) machine.remove();
  });

  it("exports what the host told: as JSON, and as markers among the output", async () => {
    const events = JSON.parse(await ok(auditor, "export", session, "--format", "events"));
    assert.deepEqual(
      events.map(({ type, code, detail }: Record<string, unknown>) => [type, code, detail]),
      [
        ["forward-opened", null, "db-1:5432"],
        ["session-ended-by-policy", "engagement-ended", "over"],
      ],
    );
    for (const version of [2, 3]) {
      const lines = (await ok(auditor, "export", session, "--format", `asciicast-v${version}`))
        .trim()
        .split("\n");
      const shown = lines.slice(1).map((line) => JSON.parse(line));
      assert.deepEqual(
        shown.map(([, code, data]) => [code, data]),
        [
          ["m", "forward-opened: db-1:5432"],
          ["o", "hello\r\n"],
          ["o", "world\r\n"],
          ["m", "session-ended-by-policy: engagement-ended: over"],
          ...(version === 3 ? [["x", "0"]] : []),
        ],
      );
    }
  });

  it("hands a browser the link without any argument that has a secret in it, once", async () => {
    const [seen, program] = [join(auditor.directory, "seen"), join(auditor.directory, "browser.mjs")];
    writeFileSync(program, BROWSER);
    auditor.env = { BROWSER: `${process.execPath} ${program} ${seen} %s` };
    const { status, stdout, stderr } = await auditor.run("web");
    assert.deepEqual([status, stdout], [0, ""], stderr);
    assert.doesNotMatch(stderr, /code=/);
    const [first, location, second, opened] = JSON.parse(await written(seen));
    assert.equal(first, 303);
    assert.ok(location.startsWith(`${plane.url}/web#code=`));
    assert.notEqual(second, 303);
    assert.match(opened, /^http:\/\/127\.0\.0\.1:\d+\/open$/);
    assert.match(await ok(contractor, "web", "--no-browser"), /\/web#code=\S+\n$/);
    const link = (await ok(contractor, "web", "--link")).trim();
    assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/web#code=[A-Za-z0-9_-]{43}$/);
  });

  it("holds are for admins, and are placed, listed and lifted", async () => {
    assert.equal((await contractor.run("hold", "add", session, "--reason", "x")).status, 6);
    assert.equal((await auditor.run("hold", "list")).status, 6);
    assert.equal((await admin.run("hold", "add", "--reason", "x")).status, 2);
    assert.equal((await admin.run("hold", "add", session, "--vendor", "vendor", "--reason", "x")).status, 2);
    assert.equal((await admin.run("hold", "add", "--vendor", "nobody", "--reason", "x")).status, 1);
    const placed = await ok(admin, "hold", "add", "--vendor", "vendor", "--reason", "case 4711");
    const [id = ""] = /^hld_[0-9a-z]{26}/.exec(placed) ?? [];
    assert.equal(placed, `${id} holds the vendor vendor.\n`);
    assert.match(
      await ok(admin, "hold"),
      new RegExp(`^ID .*\n${id} +vendor +vendor +.* sec@acme.test +case 4711\n$`),
    );
    assert.match(await ok(auditor, "sessions"), / complete, held +\(shell\)$/m);
    plane.clock.offset += 91 * DAY;
    await plane.restart();
    plane.clock.offset = 0;
    assert.match(await ok(auditor, "sessions"), / complete, held +\(shell\)$/m);
    assert.equal(await ok(admin, "hold", "remove", id), `${id} is lifted: it held the vendor vendor.\n`);
    assert.equal((await admin.run("hold", "remove", id)).status, 1);
    assert.deepEqual(JSON.parse(await ok(admin, "hold", "list", "--json")), []);
    const [lifted] = JSON.parse(await ok(admin, "hold", "list", "--all", "--json"));
    assert.deepEqual([lifted.id, lifted.liftedBy, lifted.reason], [id, "sec@acme.test", "case 4711"]);
  });

  it("says when and why a recording is gone, and still proves that it was made", async () => {
    plane.clock.offset += 91 * DAY;
    await plane.restart();
    plane.clock.offset = 0;
    // The sweep of the start goes on behind it.
    while (!(await ok(auditor, "sessions", "--json")).includes('"deleted"'));
    assert.match(
      await ok(auditor, "sessions"),
      / deleted \d{4}-\d\d-\d\d \d\d:\d\d by retention +\(shell\)$/m,
    );
    for (const args of [
      ["play", session],
      ["export", session, "--format", "text"],
      ["verify", session],
    ]) {
      const { status, stdout, stderr } = await auditor.run(...args);
      assert.deepEqual([status, stdout], [1, ""]);
      assert.match(
        stderr,
        /^sallyport: The recording of this session was deleted on \S+ \d\d:\d\d UTC by retention;/,
      );
    }
    const log = await ok(auditor, "audit", "export");
    const deleted = log.split("\n").filter((line) => line.includes('"recording-deleted"'));
    assert.equal(deleted.length, 1);
    assert.match(await ok(auditor, "audit", "verify"), / holds: /);
  });
});

/** What is in a file, once it is there whole. */
async function written(file: string): Promise<string> {
  for (;;) {
    try {
      return JSON.stringify(JSON.parse(readFileSync(file, "utf8")));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
