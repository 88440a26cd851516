import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fieldsOfVersion, listVersions } from "@sallyport/control-plane/database/engagement-versions.ts";
import { findEngagement } from "@sallyport/control-plane/database/engagements.ts";
import { invitationOf, invitationState } from "@sallyport/control-plane/database/invitations.ts";
import { listMembers } from "@sallyport/control-plane/database/members.ts";
import { MIGRATIONS } from "@sallyport/control-plane/database/migrations/index.ts";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import { changedFields } from "@sallyport/core/policy/changed-fields.ts";
import { writtenFrom } from "@sallyport/core/policy/written-engagement.ts";

const [ENG, ANN, BEN] = ["eng", "mem", "mem"].map((prefix, n) => `${prefix}_${String(n).repeat(26)}`);

describe("a database from before versions", () => {
  it("gets a first version of each engagement as it is in force, and invitations that end", async () => {
    const directory = mkdtempSync(join(tmpdir(), "sallyport-"));
    const file = join(directory, "db");
    const old = Object.entries(MIGRATIONS).filter(([name]) => name < "0005");
    await (await openDatabase(file, Object.fromEntries(old))).destroy();
    const raw = new DatabaseSync(file);
    raw.exec(`insert into engagements (id, name, vendor, hosts_json, accounts_json, mode, mfa_json, sources_json,
      approval_json, contact, starts_at, ends_at, ended_at, ended_by, ended_reason, grants_json)
      values ('${ENG}', 'old', 'v', '{"names":["a"],"labels":{}}', '["app"]', 'shell', '{"level":"mfa","maxAge":null}', '[]',
      '{"rule":"activation","approvers":1,"lasts":28800,"ticket":false,"approved":true,"granted":[]}', 'c', 1, 2000000000, 500,
      'sec', 'done', '{"personal":null,"privilege":{"sudo":"none"},"sponsor":null,"assurance":"bound",
      "certificateLifetime":null,"acceptUnsafeShell":false,"limits":{"idle":null,"longest":null,"concurrent":null},
      "recording":{"input":true,"durability":"normal"},"forwarding":{"local":[],"remote":[],"agent":false,"x11":false}}');
      insert into members (id, name, email, vendor, created_at) values ('${ANN}', 'Ann', 'ann@v.test', 'v', 100),
        ('${BEN}', 'Ben', 'ben@v.test', 'v', 200);
      insert into identities (issuer, subject, member_id, pinned_at) values ('https://idp.test', 's', '${ANN}', 150);
      insert into engagement_members (engagement_id, member_id) values ('${ENG}', '${BEN}'), ('${ENG}', '${ANN}');`);
    raw.close();

    const db = await openDatabase(file);
    const [version, ...others] = await listVersions(db, ENG ?? "", 10);
    assert.deepEqual([version?.version, version?.by, others], [1, "upgrade", []]);
    const engagement = await findEngagement(db, "old");
    assert(engagement !== undefined && version !== undefined);
    const emails = new Map((await listMembers(db)).map(({ id, email }) => [id, email ?? ""]));
    const { ended, ...written } = fieldsOfVersion(version) as Record<string, unknown>;
    assert.deepEqual(
      changedFields(
        written,
        writtenFrom(engagement, (id) => emails.get(id) ?? ""),
      ),
      [],
    );
    assert.deepEqual(ended, { at: "1970-01-01T00:08:20Z", by: "sec", reason: "done" });
    const state = async (id: string | undefined, now: number) =>
      invitationState(await invitationOf(db, id ?? ""), now);
    assert.equal(await state(ANN, 300), "active");
    assert.deepEqual([await state(BEN, 300), await state(BEN, 200 + 14 * 86_400)], ["invited", "expired"]);
    await db.destroy();
    rmSync(directory, { recursive: true });
  });
});
