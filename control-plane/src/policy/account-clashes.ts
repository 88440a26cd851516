import type { Member } from "@sallyport/core/policy/engagement.ts";

/**
 * Why `account` cannot be a member's own: nobody gets into an account that is another's, or that others share and that has
 * to stay when this member goes. Undefined when it can.
 */
export function refuseOwnAccount(
  member: Pick<Member, "id">,
  account: string,
  others: Iterable<Member>,
  shared: ReadonlySet<string>,
): string | undefined {
  for (const other of others)
    if (other.account === account && other.id !== member.id)
      return `${account} is the account of ${other.email ?? other.name}`;
  return shared.has(account) ? `${account} is an account that members share` : undefined;
}

/** The first of these shared accounts that is a member's own, and why it cannot be shared; undefined when all can. */
export function refuseSharedAccounts(
  accounts: readonly string[],
  owners: ReadonlyMap<string | null, Member>,
): { position: number; message: string } | undefined {
  for (const [position, account] of accounts.entries()) {
    const owner = owners.get(account);
    if (owner !== undefined)
      return { position, message: `${account} is the own account of ${owner.email ?? owner.name}` };
  }
  return undefined;
}

/** Members by their own account. */
export function ownersOf(members: Iterable<Member>): Map<string | null, Member> {
  return new Map(
    [...members].filter(({ account }) => account !== null).map((member) => [member.account, member]),
  );
}
