import type { PolicyAcknowledgements } from "@sallyport/core/messages/engagements.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import type { z } from "zod";
import { listHosts } from "../database/hosts.ts";
import { selects } from "../policy/host-selection.ts";
import type { Services } from "./services.ts";

/**
 * Sends hosts the policy as it is now; which have it when all have answered, or after 2 s. With `meant` only hosts that these
 * select are told of: a sponsor is not to hear of others' hosts.
 */
export async function publish(
  { db, hosts }: Pick<Services, "db" | "hosts">,
  meant?: Engagement["hosts"],
): Promise<z.infer<typeof PolicyAcknowledgements>> {
  const have = await hosts.publishBundles();
  const told = (await listHosts(db)).filter((host) => meant === undefined || selects(meant, host));
  return told.map(({ id, name }) => ({ host: name, acknowledged: have.has(id) }));
}
