import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import { Engagement, type Member } from "@sallyport/core/policy/engagement.ts";
import { audit } from "../audit/audit.ts";
import { type ReadYaml, readYaml } from "../config/yaml-file.ts";
import { findEngagement, saveEngagement } from "../database/engagements.ts";
import { memberByEmail } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId } from "../environment.ts";
import { applyMembers } from "./apply-members.ts";
import { type PolicyEngagement, PolicyFile } from "./policy-file.ts";

/** What applying a policy file changed: names of what is new or different. */
export interface AppliedPolicy {
  members: string[];
  engagements: string[];
}

/**
 * Applies the text of a policy file: all of it or, when anything is wrong (`config-invalid`, with line and column),
 * nothing. Applying the same text again changes nothing. What is not in the file stays as it is, and an engagement that
 * was ended early stays ended.
 */
export async function applyPolicy(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  source: { text: string; file: string },
): Promise<AppliedPolicy> {
  const yaml = readYaml(source.text, source.file, PolicyFile);
  return inTransaction(db, async (transaction) => {
    const members = await applyMembers(transaction, environment, yaml);
    const engagements = await applyEngagements(transaction, environment, yaml);
    const applied = { members, engagements };
    if (members.length + engagements.length > 0) {
      await audit(transaction, environment, {
        type: "policy-applied",
        actor: "policy file",
        data: { ...applied },
      });
    }
    return applied;
  });
}

async function applyEngagements(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  yaml: ReadYaml<PolicyFile>,
): Promise<string[]> {
  const changed: string[] = [];
  for (const [index, wanted] of yaml.value.engagements.entries()) {
    const members = await resolveMembers(db, yaml, index, wanted);
    const present = await findEngagement(db, wanted.name);
    const engagement = toEngagement(wanted, members, present, () => newId(environment, "eng"));
    if (present !== undefined && canonicalJson(present) === canonicalJson(engagement)) continue;
    await saveEngagement(db, engagement);
    changed.push(wanted.name);
  }
  return changed;
}

async function resolveMembers(
  db: Database,
  yaml: ReadYaml<PolicyFile>,
  index: number,
  engagement: PolicyEngagement,
): Promise<string[]> {
  const members: Member[] = [];
  for (const [position, email] of engagement.members.entries()) {
    const path = ["engagements", index, "members", position];
    const member = await memberByEmail(db, email);
    if (member === undefined) throw yaml.errorAt(path, `${email} is no member; add it under "members"`);
    if (member.vendor !== engagement.vendor) {
      throw yaml.errorAt(
        path,
        `${email} is of vendor ${member.vendor}, the engagement of ${engagement.vendor}`,
      );
    }
    members.push(member);
  }
  return [...new Set(members.map(({ id }) => id))].toSorted();
}

function toEngagement(
  wanted: PolicyEngagement,
  members: string[],
  present: Engagement | undefined,
  makeId: () => string,
): Engagement {
  return Engagement.parse({
    ...wanted,
    id: present?.id ?? makeId(),
    members,
    mode: "shell",
    ended: present?.ended ?? null,
    approval: {
      ...wanted.approval,
      approved: present?.approval.approved ?? false,
      granted: present?.approval.granted ?? [],
    },
  });
}
