import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { parseServerUrl } from "../api/server-url.ts";
import { type Context, nowSeconds } from "../context.ts";
import { whoText } from "../output/who.ts";
import { readLastServer } from "../state/sign-in-state.ts";
import { examples, numberOption } from "./command.ts";

interface LoginOptions {
  server?: string;
  browser: boolean;
  issuer?: string;
  force?: boolean;
  timeout: number;
}

/** `sallyport login` */
export function registerLogin(program: Command, context: Context): void {
  program
    .command("login")
    .summary("sign in with your identity provider")
    .description(
      "Sign in with your identity provider and get a short-lived SSH certificate for the hosts of your engagements.",
    )
    .option("--server <url>", "the control plane; without it, the one used last")
    .option("--no-browser", "open no browser: print the address to open, alone, on standard output")
    .option("--issuer <url>", "which identity provider, where there are several")
    .option("--force", "prove who you are anew, even where your identity provider still knows you")
    .option("--timeout <seconds>", "how long to wait for the browser", numberOption("--timeout", 1), 300)
    .addHelpText(
      "after",
      examples(
        "sallyport login --server https://sallyport.example.com",
        "sallyport login                  # again, at the same place",
        "sallyport login --force          # as somebody else, or with fresh MFA",
      ),
    )
    .action((options: LoginOptions) => login(context, options));
}

async function login(context: Context, options: LoginOptions): Promise<void> {
  const last = readLastServer(context);
  const server = options.server === undefined ? last?.server : parseServerUrl(options.server);
  if (server === undefined) {
    throw new SallyportError(
      "usage",
      "Say where to sign in: sallyport login --server https://sallyport.example.com",
    );
  }
  const issuer = options.issuer ?? (last?.server === server ? last.issuer : null) ?? undefined;
  const { signIn } = await import("../sign-in/sign-in.ts");
  const { openBrowser } = await import("../sign-in/open-browser.ts");
  const state = await signIn(context, {
    server,
    ...(issuer === undefined ? {} : { issuer }),
    reauthenticate: options.force ?? false,
    timeoutMs: options.timeout * 1000,
    showAddress: (address) => {
      if (!options.browser) return void context.stdout.write(`${address}\n`);
      context.stderr.write(
        `Opening your browser to sign in. If none opens, open this address:\n${printable(address, 8192)}\n`,
      );
      openBrowser(context, address);
    },
  });
  // With --no-browser a program reads standard output, and it reads an address.
  (options.browser ? context.stdout : context.stderr).write(whoText(state, nowSeconds(context)));
}
