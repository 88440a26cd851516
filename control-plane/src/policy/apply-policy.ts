import { createHash } from "node:crypto";
import type { PolicyChanges } from "@sallyport/core/messages/policy.ts";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import { type AuditInput, auditAll } from "../audit/audit.ts";
import { lockPolicy } from "../database/applied-policies.ts";
import { currentVersions } from "../database/engagement-versions.ts";
import { listEngagements } from "../database/engagements.ts";
import { listMembers } from "../database/members.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { applyEngagements } from "./apply-engagements.ts";
import { applyMembers } from "./apply-members.ts";
import type { Author } from "./store-engagement.ts";

/** A policy file, and who applies it. `by` is "policy file" unless given. */
export interface PolicySource extends Partial<Author> {
  text: string;
  /** What mistakes are reported under. */
  file: string;
  /** Finds out what would change, and changes nothing. */
  dryRun?: boolean;
  /** Seconds for which invitations are good. */
  invitationLifetime?: number;
}

const FORTNIGHT = 14 * 86_400;

/**
 * Applies the text of a policy file: all of it or, when anything is wrong (`config-invalid`, with line and column),
 * nothing. Applying the same text again changes nothing. What is not in the file stays as it is, and an engagement that
 * was ended early stays ended. Code `conflict` when somebody else changes an engagement at the same moment.
 */
export async function applyPolicy(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  source: PolicySource,
): Promise<PolicyChanges> {
  const yaml = readYaml(source.text, source.file, PolicyFile);
  const { by = "policy file", why = "", invitationLifetime: lifetime = FORTNIGHT } = source;
  try {
    return await inTransaction(db, async (transaction) => {
      await lockPolicy(transaction, seconds(environment.clock));
      const present = {
        members: await listMembers(transaction),
        engagements: await listEngagements(transaction),
        versions: await currentVersions(transaction),
      };
      const author = { by, why, lifetime };
      const events: AuditInput[] = [];
      const { members, ...people } = await applyMembers(
        transaction,
        environment,
        yaml,
        present,
        author,
        events,
      );
      const engagements = await applyEngagements(
        transaction,
        environment,
        yaml,
        { ...present, members },
        author,
        events,
      );
      const changes = { members: people, engagements };
      if (hasChanges(changes)) {
        events.push({
          type: "policy-applied",
          actor: by,
          data: { file: source.file, reason: why, hash: textHash(source.text), ...policyCounts(changes) },
        });
      }
      await auditAll(transaction, environment, events);
      if (source.dryRun) throw new DryRun(changes);
      return changes;
    });
  } catch (error) {
    if (error instanceof DryRun) return error.changes;
    throw error;
  }
}

/** Undoes the transaction of a dry run: it is the same work, up to the end. */
class DryRun extends Error {
  readonly changes: PolicyChanges;

  constructor(changes: PolicyChanges) {
    super("dry run");
    this.changes = changes;
  }
}

/** True when there is anything that hosts or people have to be told. */
export function hasChanges({ members, engagements }: PolicyChanges): boolean {
  return [members, engagements].some(({ added, changed }) => added.length + changed.length > 0);
}

/** What a text is known by. */
export function textHash(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** How many members and engagements are new, and how many changed. */
export function policyCounts({ members, engagements }: PolicyChanges) {
  const count = ({ added, changed }: { added: unknown[]; changed: unknown[] }) => ({
    added: added.length,
    changed: changed.length,
  });
  return { members: count(members), engagements: count(engagements) };
}
