import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { Host } from "../database/hosts.ts";
import { selects } from "./host-selection.ts";

/** How long a host still gets an engagement that is over, so that it can say why a login is refused. */
const KEEP_ENDED = 90 * 86_400;

/** A bundle without version and times: what a new version is made for. */
export type BundleContent = Pick<
  Bundle,
  "host" | "members" | "engagements" | "revocations" | "revocationSequence"
>;

/** The whole policy, from which each host gets its part. */
export interface Policy {
  members: readonly Member[];
  engagements: readonly Engagement[];
  revocations: readonly Revocation[];
}

/**
 * What one host needs to know: the engagements that mean it, their members, and all revocations. `now` in seconds. A host of
 * before there were modes (`knowsModes` false) gets only engagements that give a shell, in the words that it knows.
 */
export function bundleContent(
  host: Pick<Host, "id" | "name" | "labels">,
  policy: Policy,
  now: number,
  knowsModes = true,
): BundleContent {
  const engagements = policy.engagements
    .filter((engagement) => selects(engagement.hosts, host) && isRecent(engagement, now))
    .filter(({ mode }) => knowsModes || mode === "shell")
    .map((engagement) => withoutPastApprovals(engagement, now))
    .map((engagement) => (knowsModes ? engagement : withoutModes(engagement)))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const wanted = new Set(engagements.flatMap((engagement) => engagement.members));
  return {
    host: { id: host.id, name: host.name, labels: host.labels },
    members: policy.members.filter((member) => wanted.has(member.id)),
    engagements,
    revocations: [...policy.revocations],
    revocationSequence: policy.revocations.at(-1)?.sequence ?? 0,
  };
}

/** Such a host refuses a bundle with keys that it does not know; what is left out has its default. */
function withoutModes({ commands: _commands, files: _files, ...rest }: Engagement): Engagement {
  return rest as Engagement;
}

/** Not over, or over for so short a time that hosts still know it and say so. `now` in seconds. */
export function isRecent(engagement: Engagement, now: number): boolean {
  return Math.min(engagement.end, engagement.ended?.at ?? engagement.end) > now - KEEP_ENDED;
}

/**
 * Without approvals that nothing hangs on any more. One that has run out lets nobody in, but the sessions that it let in go on:
 * a host takes a missing approval for a withdrawn one, so it stays for as long as such a session can last. `now` in seconds.
 */
function withoutPastApprovals(engagement: Engagement, now: number): Engagement {
  const { approval, limits, members } = engagement;
  if (approval.granted.length === 0) return engagement;
  const lasts = limits.longest ?? Number.POSITIVE_INFINITY;
  const isOver = approval.rule !== "login" || engagement.end <= now || engagement.ended !== null;
  const granted = isOver
    ? []
    : approval.granted.filter(({ member, until }) => members.includes(member) && until + lasts > now);
  return { ...engagement, approval: { ...approval, granted } };
}
