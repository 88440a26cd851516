import type { RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import type { ControlPlane } from "../api/control-plane.ts";
import { type Context, nowSeconds } from "../context.ts";
import { json } from "../output/json.ts";
import { countsOf, hostsText, revocationAnswerJson } from "../output/revocations.ts";
import { chooseLifting, type RevocationTarget } from "../revocation/target.ts";
import { examples, signedInApi } from "./command.ts";

type UnrevokeOptions = Partial<Record<RevocationLevel, string>> & { reason: string; json?: boolean };

/** `sallyport unrevoke` */
export function registerUnrevoke(program: Command, context: Context): void {
  program
    .command("unrevoke")
    .summary("let somebody sign in again")
    .description(
      "Give back what was revoked: whoever it was taken from may sign in again. Certificates and sessions of before stay gone.",
    )
    .argument("[id]", "a revocation, or a member (id or e-mail)")
    .option("--member <id or e-mail>", "this member")
    .option("--identity <issuer subject>", "this account at this IdP")
    .option("--vendor <name>", "this vendor")
    .option("--issuer <url>", "the people of this IdP")
    .option("--reason <text>", "why; it is in the audit log", "")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport unrevoke rev_01j…",
        "sallyport unrevoke alice@vendor.example --reason 'new laptop'",
        "sallyport unrevoke --vendor acme",
      ),
    )
    .action((id: string | undefined, options: UnrevokeOptions) => unrevoke(context, id, options));
}

async function unrevoke(context: Context, id: string | undefined, options: UnrevokeOptions): Promise<void> {
  const chosen = chooseLifting(id, options);
  const { api } = signedInApi(context);
  const target = "id" in chosen ? await targetOf(api, chosen.id) : chosen;
  const answer = await api.liftRevocation({ ...target, reason: options.reason });
  if (options.json) return void context.stdout.write(json(revocationAnswerJson(answer)));
  const counted = { ...answer, counts: countsOf(answer.hosts) };
  context.stdout.write(
    `${printable(answer.level)} ${printable(answer.target, 200)} may sign in again (${printable(answer.id)}). What was revoked stays gone.\n` +
      hostsText(counted, { now: nowSeconds(context), isLifting: true }),
  );
}

async function targetOf(api: ControlPlane, id: string): Promise<RevocationTarget> {
  const { level, target } = await api.revocation(id, "missing");
  return { level: level as RevocationLevel, target };
}
