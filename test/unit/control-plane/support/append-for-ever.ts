import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { audit } from "@sallyport/control-plane/audit/audit.ts";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";

/* Appends to the audit log of a database until it is killed, and prints a line for each event that is committed. */

const db = await openDatabase(process.argv[2] ?? "");
const environment = { clock: Date.now, random: randomBytes };
for (let n = 0; ; n++) {
  await audit(db, environment, { type: "host-event", actor: "test", data: { n } });
  writeSync(1, `${n}\n`);
}
