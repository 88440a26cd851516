import { rebuildAuditTree } from "../database/rebuild-audit-tree.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { audit } from "./audit.ts";
import { AuditLog } from "./audit-log.ts";
import { newestCheckpointText, openLogFiles, setLogFilesAside } from "./log-files.ts";

/**
 * Begins a new log, with a new key and name, over the events that the database has. The old key and its newest
 * checkpoint are set aside as evidence, and the new log says what that was. Returns the new verifier key. The control
 * plane must not be running.
 */
export async function renewAuditLog(
  needs: { db: Database; environment: Environment; ring: KeyRing; url: string },
  reason: string,
): Promise<string> {
  const { db, environment, ring, url } = needs;
  const previous = newestCheckpointText(ring.directory)?.slice(0, 4096) ?? null;
  setLogFilesAside(ring, new Date(environment.clock()).toISOString().replace(/[:.]/g, "-"));
  // Whatever was done to the old tree, the new one is made of what the database has now.
  await rebuildAuditTree(db);
  const data = { reason, previous };
  await audit(db, environment, { type: "audit-log-renewed", actor: "command line", data });
  const { key } = openLogFiles(ring, { url, hasSigned: false });
  return (await AuditLog.begin(needs, key)).verifierKey;
}
