import type { Member } from "@sallyport/core/policy/engagement.ts";
import { isoSeconds } from "@sallyport/core/policy/written-engagement.ts";
import type { Notice } from "./queue-notice.ts";

/** What somebody who was invited is told: what to run. `invitedAt`, `expiresAt` in seconds. */
export function invitationNotice(
  { id, name, email, vendor }: Pick<Member, "id" | "name" | "email" | "vendor">,
  { invitedAt, expiresAt, by }: { invitedAt: number; expiresAt: number; by: string },
): Notice {
  return {
    ...{ kind: "invitation", key: `${id}/${invitedAt}`, about: id, goodUntil: expiresAt },
    to: email === null ? [] : [email],
    subject: "You are invited to Sallyport",
    text: [
      `${name}, you are invited to work on servers by SSH, for ${vendor}. On your own computer, run:`,
      "",
      "  sallyport login --server {server}",
      "",
      "Your browser opens at your organisation's sign-in page; sign in there with this e-mail address.",
      `The invitation is good until ${isoSeconds(expiresAt)} (UTC).`,
      "",
    ].join("\n"),
    data: { member: { id, name, email, vendor }, by, expires: isoSeconds(expiresAt) },
  };
}
