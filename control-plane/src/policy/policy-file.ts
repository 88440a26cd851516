import { AccountName, DisplayText, HostName, ShortName } from "@sallyport/core/names.ts";
import { Hours, MfaLevel, Network } from "@sallyport/core/policy/engagement.ts";
import { z } from "zod";

const Email = z.email().transform((email) => email.toLowerCase());

const Time = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    "a time is like 2026-11-01T09:00:00Z, or a date (midnight UTC)",
  )
  .transform((text) => Math.floor(Date.parse(text) / 1000));

const PolicyMember = z.strictObject({
  name: DisplayText.min(1).describe("Name that people see."),
  email: Email.describe(
    "The invitation: whoever first signs in with it, verified by the IdP, is this member from then on.",
  ),
  vendor: ShortName.describe("The organisation this person works for."),
});

const PolicyEngagement = z
  .strictObject({
    name: ShortName.describe("What people call it; it identifies the engagement in this file."),
    vendor: ShortName.describe("All members must be of this vendor."),
    members: z.array(Email).max(10_000).default([]).describe("E-mails of members."),
    hosts: z
      .strictObject({
        names: z.array(HostName).max(10_000).default([]),
        labels: z.record(ShortName, z.string().max(128)).default({}),
      })
      .describe("Hosts by name, or by labels that must all match; at least one of the two."),
    accounts: z.array(AccountName).min(1).max(1000).describe("Unix accounts that members may log in to."),
    mfa: z
      .strictObject({
        level: MfaLevel.default("mfa").describe("none, mfa or phishing-resistant."),
        maxAge: z
          .int()
          .min(60)
          .max(2_592_000)
          .nullable()
          .default(null)
          .describe("Oldest sign-in accepted, in seconds; null: any."),
      })
      .prefault({}),
    hours: Hours.nullable().default(null).describe("Weekly hours with a time zone; null: at any time."),
    sources: z
      .array(Network)
      .max(1000)
      .default([])
      .describe("Networks that logins may come from; empty: any."),
    start: Time.describe("First moment of access."),
    end: Time.describe("Access ends by itself at this moment."),
    contact: DisplayText.describe("Whom a contractor asks; shown with every refusal."),
  })
  .superRefine((engagement, context) => {
    const problem = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (engagement.end <= engagement.start) problem(["end"], "the end must come after the start");
    const { names, labels } = engagement.hosts;
    if (names.length === 0 && Object.keys(labels).length === 0)
      problem(["hosts"], "name at least one host or label");
  });

/** The policy file: members and engagements. It adds and changes, it never deletes. */
export const PolicyFile = z
  .strictObject({
    version: z.literal(1),
    members: z.array(PolicyMember).max(100_000).default([]),
    engagements: z.array(PolicyEngagement).max(10_000).default([]),
  })
  .superRefine((file, context) => {
    const once = (list: "members" | "engagements", key: string, values: string[]) =>
      values.forEach((value, index) => {
        if (values.indexOf(value) === index) return;
        context.addIssue({ code: "custom", path: [list, index, key], message: `${value} is listed twice` });
      });
    once(
      "members",
      "email",
      file.members.map((member) => member.email),
    );
    once(
      "engagements",
      "name",
      file.engagements.map((engagement) => engagement.name),
    );
  });
export type PolicyFile = z.infer<typeof PolicyFile>;
export type PolicyEngagement = PolicyFile["engagements"][number];
