import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { Host } from "../database/hosts.ts";
import type { RevocationHead } from "../database/revocations.ts";
import { engagementForOlderHosts, type OlderRevocation } from "./for-older-hosts.ts";
import { selects } from "./host-selection.ts";

/** How long a host still gets an engagement that is over, so that it can say why a login is refused. */
const KEEP_ENDED = 90 * 86_400;

/** A bundle without version and times. */
export type BundleContent = Pick<
  Bundle,
  | "host"
  | "members"
  | "engagements"
  | "revocations"
  | "revocationSequence"
  | "revocationChain"
  | "silentIssuers"
>;

/** The whole policy, from which each host gets its part. */
export interface Policy {
  members: readonly Member[];
  engagements: readonly Engagement[];
  /** Where the revocation list stands. */
  head: RevocationHead;
  /** The list in the words of hosts that do not keep it apart; read only where one asks. */
  olderRevocations?: readonly OlderRevocation[];
  silentIssuers?: Bundle["silentIssuers"];
}

/** What a host understands, by the capabilities that it names. */
export interface HostWords {
  /** It knows engagements of other modes than `shell`. */
  modes: boolean;
  /** It keeps the revocation list apart from its bundle. */
  revocations: boolean;
}

/** Of a host of today. */
export const ALL_WORDS: HostWords = { modes: true, revocations: true };

/**
 * What one host needs to know: the engagements that mean it, and their members. `now` in seconds. A host that does not know all
 * `words` gets only those that it knows, and the revocation list where it does not keep that apart.
 */
export function bundleContent(
  host: Pick<Host, "id" | "name" | "labels">,
  policy: Policy,
  now: number,
  words = ALL_WORDS,
): BundleContent {
  const engagements = policy.engagements
    .filter((engagement) => selects(engagement.hosts, host) && isRecent(engagement, now))
    .filter(({ mode }) => words.modes || mode === "shell")
    .map((engagement) => withoutPastApprovals(engagement, now))
    .map((engagement) => (words.revocations ? engagement : engagementForOlderHosts(engagement, words.modes)))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const wanted = new Set(engagements.flatMap((engagement) => engagement.members));
  return {
    host: { id: host.id, name: host.name, labels: host.labels },
    members: policy.members.filter((member) => wanted.has(member.id)),
    engagements,
    revocations: words.revocations ? [] : ([...(policy.olderRevocations ?? [])] as Revocation[]),
    revocationSequence: policy.head.sequence,
    revocationChain: policy.head.chain,
    silentIssuers: policy.silentIssuers ?? [],
  };
}

/**
 * What a new version is made for. Where a host keeps the list apart, its bundle only says how far that has to go, and a revocation
 * makes no new one.
 */
export function versionedContent(content: BundleContent, { revocations }: HostWords): Partial<BundleContent> {
  const { revocationSequence, revocationChain: _chain, ...rest } = content;
  if (revocations) return rest;
  const { silentIssuers: _silent, ...known } = rest;
  return { ...known, revocationSequence };
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
