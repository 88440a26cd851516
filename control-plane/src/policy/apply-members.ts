import { type ChangedField, changedFields } from "@sallyport/core/policy/changed-fields.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import type { PolicyFile, PolicyMember } from "@sallyport/core/policy/policy-file.ts";
import type { ReadYaml } from "@sallyport/core/yaml/read-yaml.ts";
import type { AuditInput } from "../audit/audit.ts";
import { saveMember } from "../database/members.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";
import { ownersOf, refuseOwnAccount, refuseSharedAccounts } from "./account-clashes.ts";
import { defaultAccountName } from "./account-name.ts";
import { sendInvitation } from "./invite-member.ts";
import type { Author } from "./store-engagement.ts";

/** What became of the members of a policy file. */
export interface AppliedMembers {
  /** All members there are, by e-mail. */
  members: ReadonlyMap<string, Member>;
  added: string[];
  changed: { name: string; changes: ChangedField[] }[];
  unchanged: number;
}

interface Present {
  members: readonly Member[];
  engagements: readonly Engagement[];
}

/**
 * Adds and changes the members of a policy file, and names the account of every member that has none. An account, once
 * given, stays until the file names another. Code `config-invalid` for an account that is another member's, or one that
 * members share, and for somebody who would change vendors after signing in.
 */
export async function applyMembers(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  yaml: ReadYaml<PolicyFile>,
  present: Present,
  author: Author & { lifetime: number },
  events: AuditInput[],
): Promise<AppliedMembers> {
  const before = new Map(present.members.map((member) => [member.email ?? member.id, member]));
  const members = new Map(before);
  for (const [index, wanted] of yaml.value.members.entries()) {
    const problem = refuseVendor(before.get(wanted.email), wanted);
    if (problem !== undefined) throw yaml.errorAt(["members", index, "vendor"], problem);
    members.set(wanted.email, merged(environment, before.get(wanted.email), wanted));
  }
  const shared = new Set<string>(
    [...present.engagements, ...yaml.value.engagements].flatMap(({ accounts }) => accounts),
  );
  refuseClashes(yaml, members, shared);
  nameAccounts(members, shared);
  const stored = [...members].filter(([key, member]) => isDifferent(before.get(key), member));
  await save(db, environment, before, stored);
  return {
    members,
    ...(await note(db, environment, { before, stored, all: yaml.value.members, author, events })),
  };
}

function merged(
  environment: Pick<Environment, "clock" | "random">,
  present: Member | undefined,
  { name, email, vendor, account }: PolicyMember,
): Member {
  const base = present ?? { id: newId(environment, "mem"), identities: [] };
  return { ...base, name, email, vendor, account: account ?? present?.account ?? null };
}

/** Another vendor's IdP would go on naming somebody who has signed in through it. */
function refuseVendor(present: Member | undefined, wanted: PolicyMember): string | undefined {
  if (present === undefined || present.vendor === wanted.vendor || present.identities.length === 0)
    return undefined;
  return (
    `${wanted.email} has signed in as a member of vendor ${present.vendor} and stays one; revoke them, and invite ` +
    `another address for ${wanted.vendor}`
  );
}

function refuseClashes(
  yaml: ReadYaml<PolicyFile>,
  members: ReadonlyMap<string, Member>,
  shared: ReadonlySet<string>,
): void {
  const owners = new Map<string | null, Member[]>();
  for (const member of members.values()) {
    const same = owners.get(member.account);
    if (same === undefined) owners.set(member.account, [member]);
    else same.push(member);
  }
  for (const [index, { email, account }] of yaml.value.members.entries()) {
    const member = members.get(email);
    if (account === undefined || member === undefined) continue;
    const problem = refuseOwnAccount(member, account, owners.get(account) ?? [], shared);
    if (problem !== undefined) throw yaml.errorAt(["members", index, "account"], problem);
  }
  const own = ownersOf(members.values());
  for (const [index, { accounts }] of yaml.value.engagements.entries()) {
    const clash = refuseSharedAccounts(accounts, own);
    if (clash !== undefined)
      throw yaml.errorAt(["engagements", index, "accounts", clash.position], clash.message);
  }
}

function nameAccounts(members: Map<string, Member>, shared: ReadonlySet<string>): void {
  const taken = new Set([...shared, ...[...members.values()].map(({ account }) => account ?? "")]);
  for (const [key, member] of members) {
    if (member.account !== null) continue;
    const account = defaultAccountName(member, (name) => taken.has(name));
    taken.add(account);
    members.set(key, { ...member, account });
  }
}

function isDifferent(a: Member | undefined, b: Member): boolean {
  return a === undefined || a.name !== b.name || a.vendor !== b.vendor || a.account !== b.account;
}

type Stored = readonly [email: string, member: Member][];

async function save(
  db: Database,
  environment: Pick<Environment, "clock">,
  before: ReadonlyMap<string, Member>,
  stored: Stored,
): Promise<void> {
  const row = ({ id, name, email, vendor, account }: Member) => ({ id, name, email, vendor, account });
  const created_at = seconds(environment.clock);
  // Two members may swap names of accounts: those given up are freed first.
  for (const [key, member] of stored) {
    const present = before.get(key);
    if (present !== undefined && present.account !== null && present.account !== member.account)
      await saveMember(db, { ...row(present), created_at, account: null });
  }
  for (const [, member] of stored) await saveMember(db, { ...row(member), created_at });
}

async function note(
  db: Database,
  environment: Pick<Environment, "clock" | "random">,
  what: {
    before: ReadonlyMap<string, Member>;
    stored: Stored;
    all: readonly PolicyMember[];
    author: Author & { lifetime: number };
    events: AuditInput[];
  },
): Promise<Pick<AppliedMembers, "added" | "changed" | "unchanged">> {
  const { before, stored, all, author, events } = what;
  const added: string[] = [];
  const changed: AppliedMembers["changed"] = [];
  for (const [email, member] of stored) {
    const present = before.get(email);
    if (present === undefined) {
      await sendInvitation(db, environment, member, author, events);
      added.push(email);
      continue;
    }
    const changes = changedFields(described(present), described(member));
    events.push({
      type: "member-changed",
      actor: author.by,
      data: { id: member.id, email: member.email, changes, reason: author.why },
    });
    changed.push({ name: email, changes });
  }
  const touched = new Set([...added, ...changed.map(({ name }) => name)]);
  return { added, changed, unchanged: all.filter(({ email }) => !touched.has(email)).length };
}

function described({ name, vendor, account }: Member): object {
  return { name, vendor, account };
}
