import type { HostEvent } from "@sallyport/core/messages/host-link.ts";
import { requestOnRefusal } from "../approvals/automatic-request.ts";
import { audit } from "../audit/audit.ts";
import type { Configuration } from "../config/configuration.ts";
import { addHostEvent } from "../database/host-events.ts";
import type { Host } from "../database/hosts.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";

/**
 * Stores an event of a host, once however often it is sent. A time in the future, by our clock, becomes now. A login that waits
 * for approval becomes a request for it.
 */
export async function storeHostEvent(
  needs: { db: Database; environment: Environment; config: Pick<Configuration, "approvals"> },
  host: Pick<Host, "id" | "name" | "labels">,
  event: HostEvent,
): Promise<void> {
  const { clock } = needs.environment;
  const stored = { ...event, at: Math.min(event.at, clock()) };
  await inTransaction(needs.db, async (db) => {
    if (!(await addHostEvent(db, host.id, stored, seconds(clock)))) return;
    const data = { host: host.name, ...event };
    await audit(db, needs.environment, { type: "host-event", actor: host.id, data });
    await requestOnRefusal({ ...needs, db }, host, stored);
  });
}
