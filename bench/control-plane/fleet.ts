import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { makeId } from "@sallyport/core/names.ts";

/** A host that has enrolled, as far as the control plane knows. */
export interface FleetHost {
  id: string;
  name: string;
  key: KeyObject;
}

const AT_ONCE = 200;

/** Adds hosts as enrolment does, without its requests. */
export async function addFleet(db: Database, count: number): Promise<FleetHost[]> {
  const now = Math.floor(Date.now() / 1000);
  const fleet = Array.from({ length: count }, (_, index) => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const id = makeId("hst", Date.now(), randomBytes(10));
    const row = {
      id,
      name: `web-${index}`,
      address: "127.0.0.1",
      port: 22,
      labels_json: '{"env":"test"}',
      host_key: publicKey.export({ format: "jwk" }).x ?? "",
      enrolled_at: now,
      last_seen_at: null,
      removed_at: null,
      bundle_version: 0,
      bundle_hash: "",
      facts_json: null,
    };
    return { host: { id, name: row.name, key: privateKey }, row };
  });
  for (let at = 0; at < count; at += AT_ONCE) {
    const rows = fleet.slice(at, at + AT_ONCE).map(({ row }) => row);
    await db.insertInto("hosts").values(rows).execute();
  }
  return fleet.map(({ host }) => host);
}
