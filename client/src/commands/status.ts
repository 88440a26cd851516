import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { isRenewable } from "../keys/renewal-due.ts";
import { usableKey } from "../keys/usable-key.ts";
import { isoTime, json } from "../output/json.ts";
import { columnsOf } from "../output/table.ts";
import { fromNow, localTime } from "../output/time.ts";
import { whoText } from "../output/who.ts";
import { readKeyState } from "../state/key-state.ts";
import { statePaths } from "../state/paths.ts";
import { requireSignIn, type SignInState } from "../state/sign-in-state.ts";
import { examples } from "./command.ts";

/** `sallyport status` */
export function registerStatus(program: Command, context: Context): void {
  program
    .command("status")
    .summary("who you are, until when, and where you may go")
    .description(
      "Show who is signed in, until when, and for which hosts. Asks nobody: it shows what the last sign-in brought.",
    )
    .option("--json", "as one JSON object")
    .addHelpText("after", examples("sallyport status", "sallyport status --json"))
    .action((options: { json?: boolean }) => status(context, options));
}

async function status(context: Context, options: { json?: boolean }): Promise<void> {
  const state = requireSignIn(context);
  const key = await usableKey(context);
  const renewedUntil = signInUntil(context);
  if (options.json)
    return void context.stdout.write(json(statusJson(state, key?.placement ?? null, renewedUntil)));
  const where = {
    agent: "The key is in your ssh-agent.",
    file: "The key is in a file that only you can read.",
  };
  context.stdout.write(whoText(state, nowSeconds(context), columnsOf(context.stdout)));
  if (renewedUntil !== null) {
    const until = `${localTime(renewedUntil)} (${fromNow(renewedUntil, nowSeconds(context))})`;
    context.stdout.write(`The certificate is renewed as you use it, without a browser, until ${until}.\n`);
  }
  if (key !== undefined) context.stdout.write(`${where[key.placement]}\n`);
  else if (state.certificate !== null && renewedUntil === null)
    context.stdout.write("There is no usable key: the next ssh will ask you to sign in.\n");
}

/** Until when the certificate is renewed without a sign-in; null where it is not. */
function signInUntil(context: Context): number | null {
  const held = readKeyState(statePaths(context.home).key);
  return held !== undefined && isRenewable(held, nowSeconds(context)) ? (held.renewal?.until ?? null) : null;
}

function statusJson(state: SignInState, key: "agent" | "file" | null, renewedUntil: number | null): unknown {
  const { certificate, me } = state;
  return {
    server: state.server,
    signedInUntil: isoTime(state.apiTokenExpiresAt),
    renewedUntil: renewedUntil === null ? null : isoTime(renewedUntil),
    certificate:
      certificate === null
        ? null
        : {
            serial: certificate.serial,
            validAfter: isoTime(certificate.validAfter),
            validBefore: isoTime(certificate.validBefore),
            key,
          },
    me: {
      ...me,
      engagements: me.engagements.map((each) => ({
        ...each,
        start: isoTime(each.start),
        end: isoTime(each.end),
      })),
    },
  };
}
