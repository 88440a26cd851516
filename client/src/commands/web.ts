import { setTimeout as wait } from "node:timers/promises";
import { SallyportError } from "@sallyport/core/errors.ts";
import { type Command, Option } from "commander";
import type { Context } from "../context.ts";
import { openBrowser } from "../sign-in/open-browser.ts";
import { Handover } from "../web/handover.ts";
import { examples, signedInApi } from "./command.ts";

/** How long it waits for the browser, in milliseconds. */
const PATIENCE_MS = 60_000;

/** `sallyport web` */
export function registerWeb(program: Command, context: Context): void {
  program
    .command("web")
    .summary("list and play sessions in the browser")
    .description(
      "Open the control plane's page in your browser, signed in as you are here: it lists sessions and plays one. The browser stays signed in for an hour at most, and no longer than you are here.",
    )
    .option(
      "--link",
      "print a link instead of opening a browser; whoever opens it first, within a minute, is you",
    )
    // As `login` calls it.
    .addOption(new Option("--no-browser").hideHelp())
    .addHelpText("after", examples("sallyport web", "sallyport web --link"))
    .action(({ link, browser }: { link?: boolean; browser: boolean }) =>
      web(context, { link: link || !browser }),
    );
}

async function web(context: Context, { link }: { link: boolean }): Promise<void> {
  const { api, state } = signedInApi(context);
  const makeLink = async (): Promise<string> => {
    const { code } = await api.webCode();
    // Our own idea of the server, as with every request: an answer does not send the browser elsewhere.
    return `${new URL("/web", state.server)}#code=${encodeURIComponent(code)}`;
  };
  if (link) return void context.stdout.write(`${await makeLink()}\n`);
  const handover = await Handover.open(makeLink, context);
  try {
    context.stderr.write(`Opening ${handover.address} in your browser…\n`);
    openBrowser(context, handover.address);
    const late = new AbortController();
    await Promise.race([handover.taken, tooLate(late.signal)]).finally(() => late.abort());
  } finally {
    handover.close();
  }
}

async function tooLate(signal: AbortSignal): Promise<never> {
  await wait(PATIENCE_MS, undefined, { signal });
  throw new SallyportError(
    "sign-in-abandoned",
    "No browser came within a minute. To open the page in a browser elsewhere: sallyport web --link",
  );
}
