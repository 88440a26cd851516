import type { PolicyEngagement } from "../../policy/policy-engagement.ts";
import type { Finding } from "./finding.ts";

/** Pairs that are compared: a file may have 10,000 engagements of one member. */
const MAX_COMPARED = 100_000;
/** Pairs that are told; a file with more is told so in the last. */
const MAX_TOLD = 50;

/**
 * Engagements that may let the same member to the same account of the same host at the same time: a host asks them in the order of their
 * ids and takes the first that admits, so a narrow one may never count.
 */
export function lintOverlaps(
  engagements: readonly PolicyEngagement[],
  path: readonly PropertyKey[],
): Finding[] {
  const found: Finding[] = [];
  let compared = 0;
  for (const [later, earlier] of pairs(engagements)) {
    if (++compared > MAX_COMPARED) return [...found, tooMany([...path, later, "name"])];
    const [a, b] = [engagements[earlier], engagements[later]];
    if (a === undefined || b === undefined || !overlap(a, b)) continue;
    if (found.length === MAX_TOLD)
      return [...found.slice(0, -1), { ...last(found), message: `${last(found).message} There are more.` }];
    found.push({
      severity: grade(a, b),
      code: "overlap",
      path: [...path, later, "name"],
      message: describe(a, b),
    });
  }
  return found;
}

/** Pairs of indices that share a member, the later one first; each once. */
function* pairs(
  engagements: readonly PolicyEngagement[],
): Iterable<readonly [later: number, earlier: number]> {
  const byMember = new Map<string, number[]>();
  for (const [index, { members }] of engagements.entries()) {
    const told = new Set<number>();
    for (const member of members)
      for (const other of byMember.get(member) ?? []) {
        if (told.has(other)) continue;
        told.add(other);
        yield [index, other];
      }
    for (const member of new Set(members)) {
      const list = byMember.get(member);
      if (list === undefined) byMember.set(member, [index]);
      else list.push(index);
    }
  }
}

function tooMany(path: readonly PropertyKey[]): Finding {
  const message = "Too many engagements share members: from here on they were not compared. Split the file.";
  return { severity: "warning", code: "overlap", path, message };
}

function overlap(a: PolicyEngagement, b: PolicyEngagement): boolean {
  return a.start < b.end && b.start < a.end && hostsMeet(a.hosts, b.hosts) && accountsOf(a, b).length > 0;
}

type Hosts = PolicyEngagement["hosts"];

/** Hosts that both can mean. What labels a host that is named has, the file does not say. */
function hostsMeet(a: Hosts, b: Hosts): boolean {
  if (a.names.some((name) => b.names.includes(name))) return true;
  const [wantedA, wantedB] = [Object.entries(a.labels), Object.entries(b.labels)];
  if (wantedA.length === 0 || wantedB.length === 0) return false;
  return wantedA.every(
    ([label, value]) => !Object.hasOwn(b.labels, label) || b.labels[label as never] === value,
  );
}

function accountsOf(a: PolicyEngagement, b: PolicyEngagement): string[] {
  const shared: string[] = a.accounts.filter((account) => b.accounts.includes(account));
  return a.personal !== null && b.personal !== null ? [...shared, "their own"] : shared;
}

/** Two that grant the same are no trouble. */
function grade(a: PolicyEngagement, b: PolicyEngagement): Finding["severity"] {
  const grants = ({ mode, commands, files, privilege, forwarding }: PolicyEngagement) =>
    JSON.stringify([mode, commands, files, privilege, forwarding]);
  return grants(a) === grants(b) ? "note" : "warning";
}

function describe(a: PolicyEngagement, b: PolicyEngagement): string {
  const member = a.members.find((one) => b.members.includes(one)) ?? "";
  const more = a.members.filter((one) => b.members.includes(one)).length - 1;
  const who = more > 0 ? `${member} and ${more} more` : member;
  const modes = a.mode === b.mode ? `both of mode ${a.mode}` : `of modes ${b.mode} and ${a.mode}`;
  return (
    `${b.name} and ${a.name} (${modes}) can both admit ${who} to the same host as ${accountsOf(a, b).slice(0, 3).join(", ")}. ` +
    "The one with the lower id (`sallyport engagement list --json`), as a rule the one that was made first, decides what the session may " +
    "be; the other counts only while that one does not admit."
  );
}

function last(found: readonly Finding[]): Finding {
  const finding = found.at(-1);
  if (finding === undefined) throw new TypeError("nothing was found");
  return finding;
}
