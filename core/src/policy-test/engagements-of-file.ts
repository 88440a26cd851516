import { Engagement, type Member } from "../policy/engagement.ts";
import type { PolicyEngagement } from "../policy/policy-engagement.ts";
import type { PolicyFile } from "../policy/policy-file.ts";

/** Of the one identity provider that the members of a file are taken to sign in with. */
export const ISSUER = "https://idp.invalid";

/** The members of a policy file as a host knows them, each signed in with {@link ISSUER} under their e-mail. */
export function membersOfFile(file: PolicyFile): Member[] {
  return file.members.map(({ name, email, vendor, account }, index) => ({
    id: idOf("mem", index),
    name,
    email,
    vendor,
    identities: [{ issuer: ISSUER, subject: email }],
    account: account ?? null,
  }));
}

/** Its engagements as a host knows them, in the order of the file, with every approval given to `memberId` where there is one. */
export function engagementsOfFile(
  file: PolicyFile,
  members: readonly Member[],
  memberId: string | null,
): Engagement[] {
  const ids = new Map(members.map(({ email, id }) => [email, id]));
  return file.engagements.map((engagement, index) =>
    engagementOf(engagement, idOf("eng", index), ids, memberId),
  );
}

function engagementOf(
  engagement: PolicyEngagement,
  id: string,
  ids: ReadonlyMap<string | null, string>,
  memberId: string | null,
): Engagement {
  return Engagement.parse({
    ...engagement,
    id,
    members: engagement.members.flatMap((email) => ids.get(email) ?? []),
    ended: null,
    approval: {
      ...engagement.approval,
      approved: true,
      granted: memberId === null ? [] : [{ member: memberId, until: engagement.end }],
    },
  });
}

/** An identifier that sorts by `index`. */
function idOf(prefix: string, index: number): string {
  return `${prefix}_${String(index).padStart(26, "0")}`;
}
