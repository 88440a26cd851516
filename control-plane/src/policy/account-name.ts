import { AccountName } from "@sallyport/core/names.ts";
import type { Member } from "@sallyport/core/policy/engagement.ts";

const LONGEST = 32;

/**
 * The name of a member's own account where the policy gives none: the local part of the e-mail and the vendor, of the
 * characters that an account name may have, and a number when that is taken.
 */
export function defaultAccountName(
  member: Pick<Member, "name" | "email" | "vendor">,
  isTaken: (name: string) => boolean,
): AccountName {
  const local = (member.email ?? member.name).split("@")[0] ?? "";
  const plain = `${local}-${member.vendor}`
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9_]+/g, "-")
    .replace(/^[^a-z]+/, "");
  const base = plain === "" ? "member" : plain;
  for (let number = 1; ; number++) {
    const suffix = number === 1 ? "" : `-${number}`;
    const name = base.slice(0, LONGEST - suffix.length).replace(/-+$/, "") + suffix;
    if (!isTaken(name)) return AccountName.parse(name);
  }
}
