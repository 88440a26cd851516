import type { MemberView } from "@sallyport/core/messages/members.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { isoTime, json } from "../output/json.ts";
import { columnsOf, table } from "../output/table.ts";
import { fromNow, localTime } from "../output/time.ts";
import { examples, refuseNames, signedInApi } from "./command.ts";

interface InviteOptions {
  name: string;
  vendor: string;
  account?: string;
  reason: string;
  json?: boolean;
}

/** `sallyport member` */
export function registerMember(program: Command, context: Context): void {
  const member = program
    .command("member")
    .alias("members")
    .summary("invite people, and list them")
    .description("Invite people of a vendor, list them, and take invitations back that were not used.")
    .addHelpText(
      "after",
      examples(
        "sallyport member list",
        "sallyport member invite alice@acme.example --name 'Alice Acme' --vendor acme",
      ),
    );
  refuseNames(
    member.command("list", { isDefault: true }),
    "To list members: sallyport member list; to invite one: sallyport member invite NAME --name … --vendor …",
  )
    .description("List members, and where their invitations stand.")
    .option("--json", "as a JSON array")
    .addHelpText("after", examples("sallyport member list", "sallyport member list --json"))
    .action((options: { json?: boolean }) => list(context, options));
  member
    .command("invite")
    .description(
      "Invite somebody: whoever signs in first with this address, verified by the identity provider, is this member from " +
        "then on. Again for somebody whose invitation ran out.",
    )
    .argument("<e-mail>", "their e-mail address")
    .requiredOption("--name <name>", "their name, as people see it")
    .requiredOption("--vendor <vendor>", "the organisation they work for")
    .option("--account <account>", "name of their own account on hosts that give such")
    .option("--reason <text>", "why; it is in the audit log", "")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples("sallyport member invite alice@acme.example --name 'Alice Acme' --vendor acme"),
    )
    .action((email: string, options: InviteOptions) => invite(context, email, options));
  member
    .command("withdraw")
    .description("Take back an invitation that was not used. Whoever has signed in loses access by `revoke`.")
    .argument("<member>", "e-mail address or id")
    .option("--reason <text>", "why; it is in the audit log", "")
    .option("--json", "as one JSON object")
    .addHelpText("after", examples("sallyport member withdraw alice@acme.example --reason 'left acme'"))
    .action((id: string, options: { reason: string; json?: boolean }) => withdraw(context, id, options));
}

async function list(context: Context, options: { json?: boolean }): Promise<void> {
  const members = await signedInApi(context).api.members();
  if (options.json) return void context.stdout.write(json(members.map(memberJson)));
  if (members.length === 0) return void context.stderr.write("There are no members for you to see.\n");
  const now = nowSeconds(context);
  const rows = members.map((one) => [
    ...[one.email ?? "", one.name, one.vendor, one.account ?? "", one.state],
    one.expiresAt === null ? "" : fromNow(one.expiresAt, now),
    one.engagements.join(", "),
  ]);
  context.stdout.write(
    table(
      ["E-MAIL", "NAME", "VENDOR", "ACCOUNT", "STATE", "EXPIRES", "ENGAGEMENTS"],
      rows,
      columnsOf(context.stdout),
    ),
  );
}

async function invite(context: Context, email: string, options: InviteOptions): Promise<void> {
  const { api, state } = signedInApi(context);
  const { name, vendor, account, reason } = options;
  const member = await api.inviteMember({
    email,
    name,
    vendor,
    reason,
    ...(account === undefined ? {} : { account }),
  });
  if (options.json) return void context.stdout.write(json(memberJson(member)));
  const until = member.expiresAt === null ? "" : ` until ${localTime(member.expiresAt)}`;
  context.stdout.write(
    `${printable(email)} is invited${until}. They sign in with:\n\n  sallyport login --server ${state.server}\n`,
  );
}

async function withdraw(
  context: Context,
  id: string,
  options: { reason: string; json?: boolean },
): Promise<void> {
  const member = await signedInApi(context).api.withdrawInvitation(id, options.reason);
  context.stdout.write(
    options.json
      ? json(memberJson(member))
      : `The invitation of ${printable(member.email ?? id)} is withdrawn.\n`,
  );
}

function memberJson(member: MemberView): unknown {
  return { ...member, invitedAt: isoTime(member.invitedAt), expiresAt: isoTime(member.expiresAt) };
}
