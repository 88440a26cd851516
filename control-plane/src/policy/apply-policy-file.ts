import type { PolicyChanges } from "@sallyport/core/messages/policy.ts";
import type { Configuration } from "../config/configuration.ts";
import { readConfigFile } from "../config/load-configuration.ts";
import { appliedHash, lockPolicy, noteApplied } from "../database/applied-policies.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { applyPolicy, textHash } from "./apply-policy.ts";

/**
 * Applies the server's own policy file, unless its text is the one that was applied last: what was changed otherwise since,
 * as an end that was moved, is not turned back by a restart. Undefined when there was nothing to do. Codes `config-missing`,
 * `config-invalid`.
 */
export async function applyPolicyFile(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  config: Pick<Configuration, "policyFile" | "invitationLifetime">,
): Promise<PolicyChanges | undefined> {
  const { policyFile: file, invitationLifetime } = config;
  if (file === undefined) return undefined;
  const text = readConfigFile(file);
  const source = `file:${file}`;
  const hash = textHash(text);
  const at = seconds(environment.clock);
  return inTransaction(db, async (transaction) => {
    await lockPolicy(transaction, at);
    if ((await appliedHash(transaction, source)) === hash) return undefined;
    const changes = await applyPolicy(transaction, environment, { text, file, invitationLifetime });
    await noteApplied(transaction, { source, hash, at });
    return changes;
  });
}
