import assert from "node:assert/strict";
import { audit, auditAll } from "@sallyport/control-plane/audit/audit.ts";
import { treeHeadAt } from "@sallyport/control-plane/audit/tree-head.ts";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { treeSize } from "@sallyport/control-plane/database/audit-tree.ts";
import { makeWorld } from "../support/world.ts";

describe("audit events stored together", () => {
  it("make the tree that they make one by one", async () => {
    // Ids are made of time and chance: the same for both.
    const chance = { clock: () => 1_800_000_000_000, random: (length: number) => new Uint8Array(length) };
    const counted = () => {
      let n = 0;
      return { ...chance, random: (length: number) => new Uint8Array(length).fill(++n % 256) };
    };
    const event = (n: number) => ({ type: "host-event" as const, actor: "test", data: { n } });
    const [one, many] = [await makeWorld(), await makeWorld()];
    const [first, second] = [counted(), counted()];
    let n = 0;
    for (const size of [0, 1, 1, 2, 5, 8, 200]) {
      const events = Array.from({ length: size }, () => event(n++));
      for (const single of events) await audit(one.db, first, single);
      await auditAll(many.db, second, events);
      assert.equal(await treeSize(many.db), n);
      if (n === 0) continue;
      const [a, b] = [await treeHeadAt(one.db, n), await treeHeadAt(many.db, n)];
      assert.deepEqual(Buffer.from(b.root), Buffer.from(a.root));
    }
    assert.deepEqual(await listAuditEvents(many.db, 300), await listAuditEvents(one.db, 300));
    await one.db.destroy();
    await many.db.destroy();
  });
});
