import { canonicalHash, canonicalJson } from "@sallyport/core/canonical-json.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { type ChangedField, changedFields } from "@sallyport/core/policy/changed-fields.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { isoSeconds, writtenFrom } from "@sallyport/core/policy/written-engagement.ts";
import { type AuditInput, type AuditType, audit } from "../audit/audit.ts";
import { carryApprovals } from "../database/carry-approvals.ts";
import { addVersion, takeNextVersion } from "../database/engagement-versions.ts";
import { findEngagement, saveEngagement } from "../database/engagements.ts";
import { forgetNotices } from "../database/notices.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { carriedApproval, widens } from "./widens.ts";

/** Who changes something, and why; as people see it in the history. */
export interface Author {
  by: string;
  why: string;
}

/** What an engagement becomes. */
export interface EngagementChange extends Author {
  type: AuditType;
  /** What it was, and the number of that version; undefined for a new one. */
  before: { engagement: Engagement; version: number } | undefined;
  after: Engagement;
  /** E-mail of a member, by id. */
  emailOf: (id: string) => string;
  /** Takes the audit event instead of the audit log: who makes many changes at once stores them together. */
  events?: AuditInput[];
}

/** What a change has made. */
export interface StoredChange {
  version: number;
  changes: ChangedField[];
  /** It grants more than was approved: nobody gets in by it until it is approved anew. */
  needsApproval: boolean;
}

/**
 * Stores a new or changed engagement with its version and its audit event; call it in a transaction. Approvals go where
 * more is granted than was approved. Code `conflict` when somebody else has changed it since `before` was read.
 */
export async function storeEngagement(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  change: EngagementChange,
): Promise<StoredChange> {
  const { before, emailOf } = change;
  const version = (before?.version ?? 0) + 1;
  const after = before === undefined ? change.after : await approvedAfter(db, before, change.after);
  const wasApproved = before?.engagement.approval.approved ?? false;
  await saveEngagement(db, after);
  const stored = {
    version,
    changes: before === undefined ? [] : differences(before.engagement, after, emailOf),
    needsApproval: wasApproved && !after.approval.approved && after.approval.rule === "activation",
  };
  await noteVersion(db, environment, { ...change, after, ...stored });
  return stored;
}

/** Adds the version and the audit event of a change that is stored already, and forgets notices about what was. */
export async function noteVersion(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  change: Author & StoredChange & Pick<EngagementChange, "type" | "after" | "emailOf" | "events">,
): Promise<void> {
  const { after, version, by, why, needsApproval } = change;
  const json = versionJson(after, change.emailOf);
  const at = seconds(environment.clock);
  await addVersion(db, {
    engagement_id: after.id,
    version,
    at,
    by,
    why,
    engagement_json: canonicalJson(json),
  });
  if (version > 1) await forgetNotices(db, after.id, at);
  const event: AuditInput = {
    type: change.type,
    actor: by,
    data: {
      ...{ id: after.id, name: after.name, version, reason: why, needsApproval },
      fields: change.changes.map(({ field }) => field),
      hash: canonicalHash(json),
    },
  };
  if (change.events !== undefined) change.events.push(event);
  else await audit(db, environment, event);
}

/** What differs between two states of an engagement, in the words that people write. */
export function differences(
  before: Engagement,
  after: Engagement,
  emailOf: (id: string) => string,
): ChangedField[] {
  return changedFields(versionJson(before, emailOf), versionJson(after, emailOf));
}

async function approvedAfter(
  db: Database,
  before: { engagement: Engagement; version: number },
  after: Engagement,
): Promise<Engagement> {
  if (!(await takeNextVersion(db, after.id, before.version))) {
    throw new SallyportError(
      "conflict",
      `The engagement ${after.name} was changed by somebody else meanwhile; look at it again, then repeat the change.`,
    );
  }
  // Approvals come without a version: what counts is what was approved when nobody else could change it any more.
  const now = await findEngagement(db, after.id);
  const approval = (now ?? before.engagement).approval;
  const carried = carriedApproval({ ...before.engagement, approval }, after);
  const isLess = approval.approved !== carried.approved || widens(before.engagement, after).length > 0;
  await carryApprovals(db, after.id, carried, isLess);
  return { ...after, approval: { ...after.approval, ...carried } };
}

function versionJson(engagement: Engagement, emailOf: (id: string) => string): object {
  const { ended } = engagement;
  return {
    ...writtenFrom(engagement, emailOf),
    ...(ended === null ? {} : { ended: { ...ended, at: isoSeconds(ended.at) } }),
  };
}
