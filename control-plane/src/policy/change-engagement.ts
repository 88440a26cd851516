import { SallyportError } from "@sallyport/core/errors.ts";
import { applyMergePatch } from "@sallyport/core/json-merge-patch.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { PolicyEngagement } from "@sallyport/core/policy/policy-engagement.ts";
import { isoSeconds, writtenFrom } from "@sallyport/core/policy/written-engagement.ts";
import { lockPolicy } from "../database/applied-policies.ts";
import { currentVersion } from "../database/engagement-versions.ts";
import { findEngagement } from "../database/engagements.ts";
import { listMembers } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";
import { ownersOf, refuseSharedAccounts } from "./account-clashes.ts";
import { refuseChange, refuseEnded } from "./change-refusals.ts";
import { engagementNotFound } from "./end-engagement.ts";
import { namesOf } from "./members-of.ts";
import { type Author, differences, type StoredChange, storeEngagement } from "./store-engagement.ts";
import { resolveMembers, toEngagement } from "./to-engagement.ts";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
}

/** An engagement after a change; `changes` is empty when it was so already. */
export type ChangedEngagement = StoredChange & { engagement: Engagement };

/** Creates an engagement. Codes `conflict` (the name is taken), `message-malformed`. */
export async function createEngagement(
  { db, environment }: Needs,
  wanted: PolicyEngagement,
  author: Author,
): Promise<ChangedEngagement> {
  return inTransaction(db, async (transaction) => {
    await lockPolicy(transaction, seconds(environment.clock));
    if (wanted.end <= seconds(environment.clock))
      throw malformed("The end of the engagement is past; it would let nobody in.");
    if ((await findEngagement(transaction, wanted.name)) !== undefined)
      throw conflict(`There is an engagement ${wanted.name} already; edit that one, or choose another name.`);
    const members = await listMembers(transaction);
    const after = resolved(environment, wanted, members, undefined);
    const change = { before: undefined, after, emailOf: namesOf(members), ...author };
    const stored = await storeEngagement(transaction, environment, { ...change, type: "engagement-created" });
    return { ...stored, engagement: after };
  });
}

/**
 * Changes the fields of an engagement that `change` gives, a JSON Merge Patch on it as it is written. Codes `not-found`;
 * `conflict` when `version` is not the newest, or it was ended; `message-malformed`.
 */
export async function editEngagement(
  { db, environment }: Needs,
  request: { nameOrId: string; version: number; change: Record<string, unknown> },
  author: Author,
): Promise<ChangedEngagement> {
  return inTransaction(db, async (transaction) => {
    await lockPolicy(transaction, seconds(environment.clock));
    const { before, members } = await changeable(transaction, request.nameOrId);
    const { engagement, version } = before;
    if (version !== request.version) {
      throw conflict(
        `The engagement ${engagement.name} has version ${version} by now, and the change was made for version ` +
          `${request.version}; look at it again, then repeat the change.`,
      );
    }
    const written = writtenFrom(engagement, namesOf(members));
    const wanted = PolicyEngagement.safeParse(applyMergePatch(written, request.change));
    if (!wanted.success) {
      const issue = wanted.error.issues[0];
      throw malformed(
        `The engagement would be wrong at ${issue?.path.join(".") || "its top"}: ${issue?.message}.`,
      );
    }
    if (wanted.data.name !== engagement.name)
      throw malformed(`The engagement ${engagement.name} keeps its name; make a new one for another.`);
    const after = resolved(environment, wanted.data, members, engagement);
    return store(transaction, environment, { before, after, members, type: "engagement-changed", ...author });
  });
}

/** Moves the end of an engagement to a later time, in seconds. Codes `not-found`, `conflict`, `message-malformed`. */
export async function extendEngagement(
  { db, environment }: Needs,
  request: { nameOrId: string; until: number },
  author: Author,
): Promise<ChangedEngagement> {
  return inTransaction(db, async (transaction) => {
    await lockPolicy(transaction, seconds(environment.clock));
    const { before, members } = await changeable(transaction, request.nameOrId);
    const { name, end } = before.engagement;
    const { until } = request;
    if (until < end)
      throw conflict(
        `The engagement ${name} ends on ${isoSeconds(end)}, which is later; edit it to end sooner.`,
      );
    if (until <= seconds(environment.clock)) throw malformed(`${isoSeconds(until)} is past.`);
    const after = { ...before.engagement, end: until };
    return store(transaction, environment, {
      before,
      after,
      members,
      type: "engagement-extended",
      ...author,
    });
  });
}

async function changeable(db: Database, nameOrId: string) {
  const engagement = await findEngagement(db, nameOrId);
  if (engagement === undefined) throw engagementNotFound(nameOrId);
  const ended = refuseEnded(engagement);
  if (ended !== undefined) throw conflict(ended);
  const version = await currentVersion(db, engagement.id);
  return { before: { engagement, version }, members: await listMembers(db) };
}

async function store(
  db: Database,
  environment: Needs["environment"],
  change: Author & {
    before: { engagement: Engagement; version: number };
    after: Engagement;
    members: readonly Member[];
    type: "engagement-changed" | "engagement-extended";
  },
): Promise<ChangedEngagement> {
  const { before, after, members } = change;
  const emailOf = namesOf(members);
  if (differences(before.engagement, after, emailOf).length === 0)
    return { ...before, changes: [], needsApproval: false };
  const refusal = refuseChange(before.engagement, after, seconds(environment.clock));
  if (refusal !== undefined) throw conflict(refusal.message);
  return { ...(await storeEngagement(db, environment, { ...change, emailOf })), engagement: after };
}

function resolved(
  environment: Needs["environment"],
  wanted: PolicyEngagement,
  members: readonly Member[],
  present: Engagement | undefined,
): Engagement {
  const byEmail = new Map(members.map((member) => [member.email ?? member.id, member]));
  const found = resolveMembers(wanted, byEmail, "invite them with: sallyport member invite");
  if ("problem" in found) throw malformed(`${found.problem}.`);
  const clash = refuseSharedAccounts(wanted.accounts, ownersOf(members));
  if (clash !== undefined) throw malformed(`${clash.message}; members cannot share it.`);
  return toEngagement(wanted, found.ids, present, () => newId(environment, "eng"));
}

function conflict(message: string): SallyportError {
  return new SallyportError("conflict", message);
}

function malformed(message: string): SallyportError {
  return new SallyportError("message-malformed", message);
}
