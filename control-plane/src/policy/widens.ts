import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { commandsGrantMore } from "./commands-grant-more.ts";
import { coversHours } from "./covers-hours.ts";
import { filesGrantMore } from "./files-grant-more.ts";
import { isLooser } from "./is-looser.ts";

type Field = Exclude<keyof Engagement, "id" | "name" | "ended" | "contact" | "sponsor" | "approval">;

/** For each field whether `after` grants something that `before` did not. In doubt it does: that costs a question. */
const WIDER: {
  [F in Field]: (before: Engagement[F], after: Engagement[F], whole: { before: Engagement }) => boolean;
} = {
  vendor: (before, after) => before !== after,
  members: hasMore,
  hosts: (before, after) => hasMore(before.names, after.names) || labelsMeanMore(before.labels, after.labels),
  accounts: hasMore,
  personal: (before, after) => after !== null && (before === null || hasMore(before.groups, after.groups)),
  privilege: privilegeIsMore,
  forwarding: (before, after) =>
    hasMore(before.local, after.local) ||
    hasMore(before.remote, after.remote) ||
    (after.agent && !before.agent) ||
    (after.x11 && !before.x11),
  limits: (before, after) =>
    isLooser(before.idle, after.idle) ||
    isLooser(before.longest, after.longest) ||
    isLooser(before.concurrent, after.concurrent),
  // Less is written down of what they do.
  recording: (before, after) =>
    (before.input && !after.input) || (before.durability === "strict" && after.durability === "normal"),
  // A shell is more than anything; what files may be moved is compared by itself.
  mode: (before, after) => before !== after && (after === "shell" || before === "files"),
  commands: (before, after) => after !== null && commandsGrantMore(before, after),
  files: (before, after, whole) =>
    after !== null && whole.before.mode !== "shell" && (before === null || filesGrantMore(before, after)),
  acceptUnsafeShell: (before, after) => after && !before,
  mfa: (before, after) =>
    MFA.indexOf(after.level) < MFA.indexOf(before.level) || isLooser(before.maxAge, after.maxAge),
  hours: (before, after) => before !== null && (after === null || !coversHours(before, after)),
  sources: (before, after) => before.length > 0 && (after.length === 0 || hasMore(before, after)),
  start: (before, after) => after < before,
  end: (before, after) => after > before,
  assurance: (before, after) => before === "bound" && after === "brokered",
  certificateLifetime: isLooser,
  idpGrace: (before, after) => after > before,
};

const MFA: readonly string[] = ["none", "mfa", "phishing-resistant"];
const SUDO: readonly string[] = ["none", "listed", "full"];

/**
 * The fields in which `after` grants more than `before` did. What an approver has said yes to is not more than `before`,
 * so that any of these needs a new yes.
 */
export function widens(before: Engagement, after: Engagement): string[] {
  return (Object.keys(WIDER) as Field[]).filter((field) => isWider(field, before, after));
}

function isWider<F extends Field>(field: F, before: Engagement, after: Engagement): boolean {
  return WIDER[field](before[field], after[field], { before });
}

/**
 * What of the approvals of `before` counts for `after`. Rule `activation`: an approval counts as long as nothing is wider
 * and the rule asks for no more than it did. Rule `login`: what was granted to a member counts as long as what they may do
 * is not more; that others join, or that it lasts longer, is none of it.
 */
export function carriedApproval(
  before: Engagement,
  after: Engagement,
): Pick<Engagement["approval"], "approved" | "granted"> {
  const wider = widens(before, after);
  const isSameRule =
    before.approval.rule === after.approval.rule &&
    after.approval.approvers <= before.approval.approvers &&
    (before.approval.ticket || !after.approval.ticket);
  const isSameForMembers = isSameRule && wider.every((field) => field === "members" || field === "end");
  const present = new Set(after.members);
  return {
    approved: before.approval.approved && isSameRule && wider.length === 0,
    granted: isSameForMembers ? before.approval.granted.filter(({ member }) => present.has(member)) : [],
  };
}

function hasMore(before: readonly string[], after: readonly string[]): boolean {
  const had = new Set(before);
  return after.some((value) => !had.has(value));
}

/** Labels must all match: one less means more hosts. None at all mean no host. */
function labelsMeanMore(before: Record<string, string>, after: Record<string, string>): boolean {
  if (Object.keys(after).length === 0) return false;
  const wanted = Object.entries(before);
  return wanted.length === 0 || wanted.some(([name, value]) => after[name] !== value);
}

function privilegeIsMore(before: Engagement["privilege"], after: Engagement["privilege"]): boolean {
  const [had, has] = [SUDO.indexOf(before.sudo), SUDO.indexOf(after.sudo)];
  if (before.sudo !== "listed" || after.sudo !== "listed") return has > had;
  return hasMore(before.commands.map(canonicalJson), after.commands.map(canonicalJson));
}
