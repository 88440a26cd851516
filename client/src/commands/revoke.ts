import type { RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import type { RevocationAnswer } from "../api/control-plane.ts";
import type { Context } from "../context.ts";
import { json } from "../output/json.ts";
import { chooseTarget } from "../revocation/target.ts";
import { examples, signedInApi } from "./command.ts";

type RevokeOptions = Partial<Record<RevocationLevel, string>> & { reason: string; json?: boolean };

/** `sallyport revoke` */
export function registerRevoke(program: Command, context: Context): void {
  program
    .command("revoke")
    .summary("take access away, now")
    .description("Take access away on every host at once, and end the sessions that hang on it.")
    .argument(
      "[id]",
      "a session, member (id or e-mail), engagement (id or name), certificate serial or key fingerprint",
    )
    .option("--session <id>", "this session")
    .option("--certificate <serial>", "this certificate")
    .option("--member <id or e-mail>", "this member, everywhere")
    .option("--engagement <id or name>", "this engagement")
    .option("--key <fingerprint>", "this key")
    .option("--reason <text>", "why; the member is told", "")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport revoke ses_01j…",
        "sallyport revoke alice@vendor.example --reason 'laptop stolen'",
        "sallyport revoke --engagement acme-db",
      ),
    )
    .action((id: string | undefined, options: RevokeOptions) => revoke(context, id, options));
}

async function revoke(context: Context, id: string | undefined, options: RevokeOptions): Promise<void> {
  const target = chooseTarget(id, options);
  const answer = await signedInApi(context).api.revoke({
    ...target,
    reason: options.reason,
    signInsOnly: false,
  });
  context.stdout.write(options.json ? json(answer) : revocationText(answer));
}

/** Who acknowledged, and which sessions ended. */
export function revocationText(answer: RevocationAnswer): string {
  const lines = [`Revoked ${printable(answer.level)} ${printable(answer.target)} (${printable(answer.id)}).`];
  for (const { host, acknowledged, endedSessions } of answer.hosts) {
    const ended =
      endedSessions.length === 0
        ? "no session to end"
        : `ended ${endedSessions.map((each) => printable(each)).join(", ")}`;
    lines.push(
      acknowledged
        ? `  ${printable(host)}: acknowledged, ${ended}`
        : `  ${printable(host)}: NOT acknowledged yet; it takes effect when the host connects, or its lease ends`,
    );
  }
  if (answer.hosts.length === 0)
    lines.push("  No host is connected; it takes effect when one connects, or its lease ends.");
  return `${lines.join("\n")}\n`;
}
