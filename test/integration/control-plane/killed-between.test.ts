import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { run } from "../../fixtures/processes.ts";
import { KillablePlane } from "./support/killable-plane.ts";

const ENDS_SOON = `version: 1
members:
  - { name: Dana Doe, email: dana@vendor.test, vendor: vendor }
engagements:
  - name: web-work
    vendor: vendor
    members: [dana@vendor.test]
    hosts: { names: [web-1] }
    accounts: [deploy]
    start: 2020-01-01
    end: ${new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, "")}
    contact: sec@acme.test
`;

interface Posted {
  id: string;
  body: { type: string; events?: { index: number }[] };
}

describe("a control plane that is killed with -9 between two steps", function () {
  this.timeout(60_000);
  let receiver: Server;
  let plane: KillablePlane;
  let db: Database;
  /** What came, and what is done before it is answered. */
  const posted: Posted[] = [];
  let onPost: (one: Posted) => Promise<void> = async () => {};
  let wake = () => {};

  before(async () => {
    receiver = createServer(async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece);
      const one = {
        id: String(request.headers["webhook-id"]),
        body: JSON.parse(Buffer.concat(pieces).toString()),
      };
      await onPost(one);
      posted.push(one);
      wake();
      response.end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    plane = await KillablePlane.prepare(ENDS_SOON, {
      notices: { webhook: { url: `${url}/notices` } },
      auditStreams: [{ name: "siem", type: "webhook", url: `${url}/audit` }],
    });
  });
  after(async () => {
    await db?.destroy();
    await plane?.close();
    receiver.close();
    receiver.closeAllConnections();
  });

  /** The first that came, or comes, of this kind. */
  const arrived = async (isMeant: (one: Posted) => boolean): Promise<Posted> => {
    for (;;) {
      const found = posted.find(isMeant);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const isNotice = ({ body }: Posted) => body.type !== "audit-events";
  /** What was to be tried after a while is tried at the next start. */
  const asIfLater = async () => {
    await db.updateTable("notices").set({ next_attempt_at: 0 }).execute();
    await db.updateTable("audit_streams").set({ claimed_until_ms: 0 }).execute();
  };
  const stored = async (type: string) =>
    (await db.selectFrom("audit_events").select("id").where("type", "=", type).execute()).length;

  it("sends again what was delivered and not noted, under the same id, and nothing that was noted", async () => {
    const lost: Posted[] = [];
    onPost = async (one) => {
      lost.push(one);
      if (lost.some(isNotice) && !lost.every(isNotice)) await plane.kill();
      // Neither is answered before both have come.
      else await once(receiver, "killed");
      receiver.emit("killed");
    };
    const dead = once(receiver, "killed");
    plane.spawn();
    await dead;
    db = await plane.database();
    assert.equal(await stored("notice-sent"), 0);
    await asIfLater();

    onPost = async () => {};
    posted.length = 0;
    await plane.start();
    const [lostNotice, lostBatch] = [lost.find(isNotice), lost.find((one) => !isNotice(one))];
    const [notice, batch] = [
      await arrived(({ id }) => id === lostNotice?.id),
      await arrived((one) => !isNotice(one)),
    ];
    assert.deepEqual(notice.body, lostNotice?.body);
    assert.equal(batch.body.events?.[0]?.index, lostBatch?.body.events?.[0]?.index);
    // Each is noted once the event of it is streamed.
    const notices = await db.selectFrom("notices").select("id").where("channel", "=", "webhook").execute();
    const noted = () => JSON.stringify(posted).split('"notice-sent"').length - 1;
    await arrived(() => noted() === notices.length);

    await plane.kill();
    posted.length = 0;
    await asIfLater();
    await plane.start();
    await plane.kill("SIGTERM");
    assert.deepEqual(posted.filter(isNotice), []);
    assert.equal(await stored("notice-sent"), notices.length);
  });

  it("begins the rotation of a key once, with a key that is there, wherever it was killed in it", async () => {
    await plane.start();
    const made = () => globSync(join(plane.directory, "keys/policy-*.pem"));
    const killed = spawn(process.execPath, plane.command("rotate-key", "--kind", "policy"), plane.options);
    while (made().length === 0) await new Promise(setImmediate);
    killed.kill("SIGKILL");
    await once(killed, "exit");
    const { status, stderr } = await run(
      [process.execPath, ...plane.command("rotate-key", "--kind", "policy")],
      {
        env: plane.options.env,
      },
    );
    assert.ok(status === 0 || /goes on already/.test(stderr), stderr);
    const rows = await db.selectFrom("key_successions").selectAll().execute();
    const keys = made().map((file) =>
      formatPublicKeyLine(publicKeyFromKeyObject(createPublicKey(createPrivateKey(readFileSync(file))))),
    );
    assert.deepEqual([rows.length, await stored("key-rotation-begun")], [1, 1]);
    assert.ok(keys.includes(rows[0]?.new_key ?? ""), "the next key is in no file");
    await plane.kill();
    await plane.start();
    assert.deepEqual(plane.endedAlone, []);
  });
});
