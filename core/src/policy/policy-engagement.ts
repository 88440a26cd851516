import { z } from "zod";
import { CommandGrant } from "../commands/command-rule.ts";
import { FileGrant } from "../files/file-grant.ts";
import { AccountName, DisplayText, Email, HostName, ShortName } from "../names.ts";
import { Approval, Hours, IDP_GRACE, MfaLevel, Network, SessionMode } from "./engagement.ts";
import { Forwarding, PersonalAccounts, Privilege, RecordingOptions, SessionLimits } from "./grants.ts";

const Time = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    "a time is like 2026-11-01T09:00:00Z, or a date (midnight UTC)",
  )
  .refine((text) => Date.parse(text) >= 0, "a time is in 1970 or later")
  .transform((text) => Math.floor(Date.parse(text) / 1000));

/** `use` would need the file around it. */
const WithoutSets = CommandGrant.extend({
  use: z
    .never("`use` names sets of a policy file, and there is none here: write the rules out under `rules`")
    .optional(),
});

/** The fields of {@link PolicyEngagement}, without what holds between them. */
export const PolicyEngagementFields = z.strictObject({
  name: ShortName.refine(
    (name) => !/^[a-z]{3}_[0-9a-z]{26}$/.test(name),
    "a name must not look like an id",
  ).describe("What people call it; it identifies the engagement in this file."),
  vendor: ShortName.describe("All members must be of this vendor."),
  members: z.array(Email).max(10_000).default([]).describe("E-mails of members."),
  hosts: z
    .strictObject({
      names: z.array(HostName).max(10_000).default([]),
      labels: z.record(ShortName, z.string().max(128)).default({}),
    })
    .describe("Hosts by name, or by labels that must all match; at least one of the two."),
  accounts: z
    .array(AccountName)
    .max(1000)
    .default([])
    .describe("Unix accounts of the hosts that members share; may be empty where `personal` is given."),
  personal: PersonalAccounts.nullable()
    .default(null)
    .describe(
      "Accounts of their own for the members, made on every host and removed at the end; {} will do. `groups`: groups " +
        "of the host to put them in; `home`: archive (default), keep or delete the home directory at the end. " +
        "Null: none. Danger: a group such as docker or disk is as good as root.",
    ),
  mode: SessionMode.default("shell").describe(
    "What a session may be: shell (default), commands (only those of `commands`), or files (only what `files` lets be moved).",
  ),
  commands: WithoutSets.nullable()
    .default(null)
    .describe(
      "Mode `commands`: `rules`, each a program with its flags and arguments, and `confinement`: available (default) or " +
        "required. docs/policy.md has the language. Danger: programs that start others; `sallyport policy lint` tells.",
    ),
  files: FileGrant.nullable()
    .default(null)
    .describe(
      "Modes `files` and `commands`: `protocols` (sftp, legacy-scp, rsync) and `directories`, each with `path`, `access` " +
        "(read, write, read-write) and `maxFileSize`.",
    ),
  privilege: Privilege.default({ sudo: "none" }).describe(
    "What sudo gives the personal accounts: { sudo: none }, { sudo: listed, commands: […] } with `program` (absolute), " +
      "`arguments` (word for word; [] is none, null leaves them open) and `runAs` (root by default), or { sudo: full }. " +
      "Danger: many programs start others (editors, pagers, tar, find): listing one of them is as good as full.",
  ),
  forwarding: Forwarding.prefault({}).describe(
    "Forwarding, off unless granted. `local`: destinations HOST:PORT (port * is any); `remote`: listening addresses " +
      "PORT or HOST:PORT; `agent` and `x11`: true or false. What goes through a forwarded connection is not recorded.",
  ),
  limits: SessionLimits.prefault({}).describe(
    "Limits of a session: `idle` seconds without input (30 to 86400), `longest` seconds (60 to 30 days), `concurrent` " +
      "sessions of one member on one host; null: none.",
  ),
  recording: RecordingOptions.prefault({}).describe(
    "`input`: record what is typed (default true; never while the terminal's echo is off). `durability`: normal, or " +
      "strict to have every block on the disk before the next is shown, at the price of speed.",
  ),
  acceptUnsafeShell: z
    .boolean()
    .default(false)
    .describe(
      "Use shared accounts although their login shell runs files of the user before the recorder starts. Danger: what " +
        "such a file does is not recorded, until the watchdog ends it.",
    ),
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
  sources: z.array(Network).max(1000).default([]).describe("Networks that logins may come from; empty: any."),
  start: Time.describe("First moment of access."),
  end: Time.describe("Access ends by itself at this moment."),
  contact: DisplayText.describe("Whom a contractor asks; shown with every refusal."),
  sponsor: Email.nullable()
    .default(null)
    .describe("E-mail of who in the company answers for it; with the role `sponsor` they see and end it."),
  approval: Approval.omit({ approved: true, granted: true })
    .prefault({})
    .describe(
      "Whether somebody has to say yes. `rule`: none, activation (once, before anybody logs in) or login (for each member; " +
        "it `lasts` that many seconds, 28800 unless given); `approvers`: how many people (1 to 10, default 1); `ticket`: " +
        "true when a request must name a ticket.",
    ),
  assurance: z
    .enum(["bound", "brokered"])
    .default("bound")
    .describe(
      "`brokered` also accepts sign-ins whose ID token does not commit to the SSH key (device code). Danger: then a " +
        "control plane that was taken over can log in as these members.",
    ),
  certificateLifetime: z
    .int()
    .min(60)
    .max(86_400)
    .nullable()
    .default(null)
    .describe("Longest life of a certificate in seconds; null leaves it to the control plane's own setting."),
  idpGrace: z
    .int()
    .min(60)
    .max(86_400)
    .default(IDP_GRACE)
    .describe(
      "Seconds for which certificates are renewed and logins go on while the IdP does not answer. Long: somebody whom it has " +
        "disabled in the meantime stays as long; short: an outage of the IdP locks members out.",
    ),
});

/** What holds between the fields. */
export function checkEngagementFields(
  engagement: z.infer<typeof PolicyEngagementFields>,
  context: Pick<z.core.$RefinementCtx, "addIssue">,
): void {
  const problem = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: "custom", path, message });
  if (engagement.end <= engagement.start) problem(["end"], "the end must come after the start");
  const { names, labels } = engagement.hosts;
  if (names.length === 0 && Object.keys(labels).length === 0)
    problem(["hosts"], "name at least one host or label");
  if (engagement.accounts.length === 0 && engagement.personal === null)
    problem(["accounts"], "name at least one account, or give the members their own with `personal`");
  if ((engagement.mode === "commands") !== (engagement.commands !== null))
    problem(["commands"], "`commands` goes with mode: commands, and mode: commands needs it");
  if (engagement.mode !== "shell" && engagement.acceptUnsafeShell)
    problem(
      ["acceptUnsafeShell"],
      `in mode: ${engagement.mode} a login shell that runs files of the user would run whatever is in them`,
    );
  if (engagement.mode === "files" && engagement.files === null)
    problem(["files"], "mode: files needs `files`");
  if (engagement.mode === "shell" && engagement.files !== null)
    problem(
      ["files"],
      "in mode: shell, files are moved as the account may; `files` goes with the other modes",
    );
  if (engagement.privilege.sudo !== "none" && engagement.personal === null)
    problem(["privilege"], "only personal accounts can have sudo: give them with `personal`");
  const byOther = engagement.commands?.rules.findIndex(({ runAs }) => runAs !== undefined) ?? -1;
  if (byOther >= 0 && engagement.personal === null)
    problem(["commands", "rules", byOther, "runAs"], ONLY_PERSONAL);
}

/** Why a rule has no `runAs` where members share their accounts. */
export const ONLY_PERSONAL =
  "only personal accounts can have sudo: give them with `personal`, or leave `runAs` out";

/**
 * An engagement as people write it: in a policy file, in a request to the API, in an editor. Members are e-mails, times are
 * text; what is left out has its default.
 */
export const PolicyEngagement = PolicyEngagementFields.superRefine(checkEngagementFields);
export type PolicyEngagement = z.infer<typeof PolicyEngagement>;
