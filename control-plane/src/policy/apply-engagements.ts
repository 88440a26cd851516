import { setImmediate } from "node:timers/promises";
import type { PolicyChanges } from "@sallyport/core/messages/policy.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import type { PolicyEngagement } from "@sallyport/core/policy/policy-engagement.ts";
import type { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import type { ReadYaml } from "@sallyport/core/yaml/read-yaml.ts";
import type { AuditInput } from "../audit/audit.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";
import { refuseChange } from "./change-refusals.ts";
import { namesOf } from "./members-of.ts";
import { type Author, differences, storeEngagement } from "./store-engagement.ts";
import { resolveMembers, toEngagement } from "./to-engagement.ts";

interface Present {
  engagements: readonly Engagement[];
  versions: ReadonlyMap<string, number>;
  /** By e-mail. */
  members: ReadonlyMap<string, Member>;
}

/** Adds and changes the engagements of a policy file; call it in a transaction. Codes `config-invalid`, `conflict`. */
export async function applyEngagements(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  yaml: ReadYaml<PolicyFile>,
  present: Present,
  author: Author,
  events: AuditInput[],
): Promise<PolicyChanges["engagements"]> {
  const known = new Map<string, Engagement>(present.engagements.map((one) => [one.name, one]));
  const emailOf = namesOf([...present.members.values()]);
  const result: PolicyChanges["engagements"] = { added: [], changed: [], unchanged: 0, ended: [] };
  for (const [index, wanted] of yaml.value.engagements.entries()) {
    // SQLite never waits, so that a long file would keep everything else from running.
    if (index % 50 === 49) await setImmediate();
    const at = (path: PropertyKey[], message: string) =>
      yaml.errorAt(["engagements", index, ...path], message);
    const before = known.get(wanted.name);
    if (before !== undefined && before.ended !== null) {
      result.ended.push(wanted.name);
      continue;
    }
    const after = wantedEngagement(environment, wanted, present.members, before, at);
    if (before === undefined) {
      const change = { before, after, emailOf, type: "engagement-created" as const, ...author, events };
      await storeEngagement(db, environment, change);
      result.added.push(wanted.name);
    } else if (differences(before, after, emailOf).length === 0) {
      result.unchanged += 1;
    } else {
      const refusal = refuseChange(before, after, seconds(environment.clock));
      if (refusal !== undefined) throw at([refusal.field], refusal.message);
      const version = present.versions.get(before.id) ?? 0;
      const change = { before: { engagement: before, version }, after, emailOf };
      const stored = await storeEngagement(db, environment, {
        ...{ ...change, ...author, type: "engagement-changed", events },
      });
      result.changed.push({ name: wanted.name, ...stored });
    }
    known.set(wanted.name, after);
  }
  refuseStrangers(yaml, known.values(), present.members);
  return result;
}

function wantedEngagement(
  environment: Pick<Environment, "clock" | "random">,
  wanted: PolicyEngagement,
  members: ReadonlyMap<string, Member>,
  before: Engagement | undefined,
  at: (path: PropertyKey[], message: string) => Error,
): Engagement {
  const found = resolveMembers(wanted, members, 'add it under "members"');
  if ("problem" in found) throw at(["members", found.position], found.problem);
  return toEngagement(wanted, found.ids, before, () => newId(environment, "eng"));
}

/** A member whose vendor changed must not stay in engagements of the old one, in the file or not. */
function refuseStrangers(
  yaml: ReadYaml<PolicyFile>,
  engagements: Iterable<Engagement>,
  members: ReadonlyMap<string, Member>,
): void {
  const vendors = new Map([...members.values()].map((member) => [member.id, member]));
  for (const engagement of engagements) {
    for (const id of engagement.members) {
      const member = vendors.get(id);
      if (member === undefined || member.vendor === engagement.vendor) continue;
      const index = yaml.value.members.findIndex(({ email }) => email === member.email);
      throw yaml.errorAt(
        index === -1 ? [] : ["members", index, "vendor"],
        `${member.email ?? member.name} is in the engagement ${engagement.name} of vendor ${engagement.vendor}; take them out there first`,
      );
    }
  }
}
