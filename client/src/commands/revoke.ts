import { SallyportError } from "@sallyport/core/errors.ts";
import type { RevocationDetail } from "@sallyport/core/messages/revocations.ts";
import type { RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { ExitCode } from "../exit-codes.ts";
import { json } from "../output/json.ts";
import { countsOf, hostsText, revocationAnswerJson, revocationDetailJson } from "../output/revocations.ts";
import { chooseTarget } from "../revocation/target.ts";
import { isEverywhere, waitForHosts } from "../revocation/wait-for-hosts.ts";
import { examples, numberOption, signedInApi } from "./command.ts";

interface RevokeOptions extends Partial<Record<RevocationLevel, string>> {
  signInsOnly?: boolean;
  /** True: for those that are connected; a number: so many seconds for all. */
  wait?: true | number;
  reason: string;
  json?: boolean;
}

/** `sallyport revoke` */
export function registerRevoke(program: Command, context: Context, onStatus: (status: number) => void): void {
  program
    .command("revoke")
    .summary("take access away, now")
    .description(
      "Take access away on every host at once, and end the sessions that hang on it. A member, an identity, a vendor and an IdP " +
        "can be given access back with `sallyport unrevoke`.",
    )
    .argument(
      "[id]",
      "a session, member (id or e-mail), engagement (id or name), certificate serial or key fingerprint",
    )
    .option("--session <id>", "this session, and the certificate that it was opened with")
    .option("--certificate <serial>", "this certificate")
    .option("--member <id or e-mail>", "this member, everywhere")
    .option("--engagement <id or name>", "this engagement")
    .option("--key <fingerprint>", "this key")
    .option("--identity <issuer subject>", "this account at this IdP, staff included")
    .option("--vendor <name>", "all members and engagements of this vendor")
    .option("--issuer <url>", "everything that was signed in for at this IdP; staff keep the control plane")
    .option("--sign-ins-only", "only what hangs on sign-ins up to now: whoever signs in again is in again")
    .option(
      "--wait [seconds]",
      "show how far hosts are until those that are connected have it; or, for at most so long, until every host has it or its lease is over",
      numberOption("--wait", 1),
    )
    .option("--reason <text>", "why; the member is told", "")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      `${examples(
        "sallyport revoke ses_01j…",
        "sallyport revoke alice@vendor.example --reason 'laptop stolen' --wait",
        "sallyport revoke --engagement acme-db",
        "sallyport revoke --vendor acme --reason 'contract over' --wait 600",
        "sallyport revoke --identity 'https://idp.example.com 4711' --sign-ins-only",
      )}\n\nWith --wait it ends with 9 where a host does not have it yet and may admit until its lease ends.`,
    )
    .action(async (id: string | undefined, options: RevokeOptions) =>
      onStatus(await revoke(context, id, options)),
    );
}

async function revoke(context: Context, id: string | undefined, options: RevokeOptions): Promise<ExitCode> {
  const { reason, signInsOnly = false, wait } = options;
  const target = chooseTarget(id, options);
  const { api } = signedInApi(context);
  const answer = await api.revoke({ ...target, reason, signInsOnly });
  const what = signInsOnly ? "Ended the sign-ins so far of" : "Revoked";
  const head = `${what} ${printable(answer.level)} ${printable(answer.target, 200)} (${printable(answer.id)}).\n`;
  const now = nowSeconds(context);
  if (wait === undefined) {
    const text = () => `${head}${hostsText({ ...answer, counts: countsOf(answer.hosts) }, { now })}`;
    context.stdout.write(options.json ? json(revocationAnswerJson(answer)) : text());
    return ExitCode.ok;
  }
  if (!options.json) context.stdout.write(head);
  const detail = await waitForHosts(context, (hosts) => api.revocation(answer.id, hosts), wait).catch(
    (error: unknown) => {
      throw stored(error, answer.id);
    },
  );
  // What it ended is known best by whom the answer came to at once.
  const ended = answer.hosts.flatMap(({ endedSessions }) => endedSessions);
  context.stdout.write(
    options.json ? json(revocationDetailJson(detail)) : waitedText(detail, ended, nowSeconds(context)),
  );
  return isEverywhere(detail.counts) ? ExitCode.ok : ExitCode.notEverywhere;
}

function waitedText(detail: RevocationDetail, ended: readonly string[], now: number): string {
  const until = Math.max(
    0,
    ...detail.hosts.map(({ acknowledged, leaseUntil }) => (acknowledged ? 0 : (leaseUntil ?? 0))),
  );
  return hostsText(detail, { now, ended, until });
}

/** Whatever went wrong while waiting: the revocation stands. */
function stored(error: unknown, id: string): unknown {
  if (!(error instanceof SallyportError)) return error;
  const next = `The revocation is stored; to see which hosts have it: sallyport revocations show ${printable(id)}`;
  return new SallyportError(error.code, `${error.message} ${next}`, { cause: error });
}
