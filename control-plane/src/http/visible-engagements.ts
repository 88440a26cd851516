import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { listEngagements } from "../database/engagements.ts";
import type { Database } from "../database/tables.ts";
import { type Sight, seesEngagement } from "./sight.ts";

/**
 * The engagements that are in sight, the latest start first. Of a contractor no others are read: that takes so long where there
 * are many that one of them could keep the control plane from everything else.
 */
export async function visibleEngagements(db: Database, sight: Sight): Promise<Engagement[]> {
  const { all, memberId, sponsor } = sight;
  if (all || sponsor !== undefined)
    return (await listEngagements(db)).filter((one) => seesEngagement(sight, one));
  return memberId === undefined ? [] : listEngagements(db, memberId);
}
