import type { Member } from "@sallyport/core/policy/engagement.ts";
import type { ReadYaml } from "../config/yaml-file.ts";
import { listEngagements } from "../database/engagements.ts";
import { listMembers, saveMember } from "../database/members.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";
import { defaultAccountName } from "./account-name.ts";
import type { PolicyFile } from "./policy-file.ts";

/**
 * Adds and changes the members of a policy file, and names the account of every member that has none; returns the e-mails
 * of those that changed. An account, once given, stays until the file names another. Code `config-invalid` for an account
 * that is another member's, or one that members share.
 */
export async function applyMembers(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  yaml: ReadYaml<PolicyFile>,
): Promise<string[]> {
  const members = new Map((await listMembers(db)).map((member) => [member.email ?? member.id, member]));
  const shared = new Set<string>([
    ...(await listEngagements(db)).flatMap((engagement) => engagement.accounts),
    ...yaml.value.engagements.flatMap((engagement) => engagement.accounts),
  ]);
  const changed = new Map<string, Member>();
  for (const wanted of yaml.value.members) {
    const present = members.get(wanted.email);
    const account = wanted.account ?? present?.account ?? null;
    const member: Member = {
      ...(present ?? { id: newId(environment, "mem"), identities: [] }),
      ...{ name: wanted.name, email: wanted.email, vendor: wanted.vendor, account },
    };
    members.set(wanted.email, member);
    if (present === undefined || isDifferent(present, member)) changed.set(wanted.email, member);
  }
  refuseDoubled(yaml, members, shared);
  const taken = new Set([...shared, ...[...members.values()].map(({ account }) => account ?? "")]);
  for (const [key, member] of members) {
    if (member.account !== null) continue;
    const account = defaultAccountName(member, (name) => taken.has(name));
    taken.add(account);
    changed.set(key, { ...member, account });
  }
  await save(db, environment, [...changed.values()]);
  return [...changed.keys()];
}

function isDifferent(a: Member, b: Member): boolean {
  return a.name !== b.name || a.vendor !== b.vendor || a.account !== b.account;
}

/** Nobody gets into an account that is another's, or that others share and that has to stay when this member goes. */
function refuseDoubled(
  yaml: ReadYaml<PolicyFile>,
  members: ReadonlyMap<string, Member>,
  shared: ReadonlySet<string>,
): void {
  const all = [...members.values()];
  for (const [index, { email, account }] of yaml.value.members.entries()) {
    if (account === undefined) continue;
    const path = ["members", index, "account"];
    const other = all.find((member) => member.account === account && member.email !== email);
    if (other !== undefined)
      throw yaml.errorAt(path, `${account} is the account of ${other.email ?? other.name}`);
    if (shared.has(account)) throw yaml.errorAt(path, `${account} is an account that members share`);
  }
  const own = new Map<string | null, Member>(all.map((member) => [member.account, member]));
  for (const [index, { accounts }] of yaml.value.engagements.entries()) {
    for (const [position, account] of accounts.entries()) {
      const member = own.get(account);
      const path = ["engagements", index, "accounts", position];
      if (member !== undefined)
        throw yaml.errorAt(path, `${account} is the own account of ${member.email ?? member.name}`);
    }
  }
}

async function save(
  db: Database,
  environment: Pick<Environment, "clock">,
  members: readonly Member[],
): Promise<void> {
  const before = new Map((await listMembers(db)).map((member) => [member.id, member]));
  const row = ({ id, name, email, vendor, account }: Member) => ({ id, name, email, vendor, account });
  const created_at = seconds(environment.clock);
  // Two members may swap names of accounts: those given up are freed first.
  for (const member of members) {
    const present = before.get(member.id);
    if (present !== undefined && present.account !== null && present.account !== member.account)
      await saveMember(db, { ...row(present), created_at, account: null });
  }
  for (const member of members) await saveMember(db, { ...row(member), created_at });
}
