import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { type Command, Option } from "commander";
import { parseServerUrl } from "../api/server-url.ts";
import { type Context, nowSeconds } from "../context.ts";
import { columnsOf } from "../output/table.ts";
import { whoText } from "../output/who.ts";
import type { DeviceCode } from "../sign-in/device.ts";
import { readLastServer } from "../state/sign-in-state.ts";
import { examples, numberOption } from "./command.ts";

interface LoginOptions {
  server?: string;
  browser: boolean;
  link?: boolean;
  issuer?: string;
  email?: string;
  device?: boolean;
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
    // As `web` calls it.
    .addOption(new Option("--link").hideHelp())
    .option("--issuer <url>", "which identity provider, where there are several")
    .option(
      "--email <address>",
      "yours at work: finds your identity provider by its domain, where there are several",
    )
    .option(
      "--device",
      "sign in on another device, with a code; only for engagements that accept such brokered sign-ins",
    )
    .option("--force", "prove who you are anew, even where your identity provider still knows you")
    .option("--timeout <seconds>", "how long to wait for the browser", numberOption("--timeout", 1), 300)
    .addHelpText(
      "after",
      examples(
        "sallyport login --server https://sallyport.example.com",
        "sallyport login                  # again, at the same place",
        "sallyport login --email alice@vendor.example",
        "sallyport login --device         # where there is no browser",
        "sallyport login --force          # as somebody else, or with fresh MFA",
      ),
    )
    .action(({ link, ...options }: LoginOptions) =>
      login(context, { ...options, browser: options.browser && !link }),
    );
}

function showDeviceCode({ stderr }: Context, { address, code }: DeviceCode): void {
  stderr.write(
    `On a device with a browser, open ${address}\nand check that it shows the code ${code}, or type it there. Waiting…\n`,
  );
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
  const { email } = options;
  if (email !== undefined && !/^[^@\s]{1,64}@[^@\s]{1,253}$/.test(email))
    throw new SallyportError("usage", "--email takes an address such as alice@vendor.example.");
  // Where somebody signed in before is the better guess, but not than what they say now.
  const remembered = email === undefined && last?.server === server ? last.issuer : null;
  const issuer = options.issuer ?? remembered ?? undefined;
  const { ask } = context;
  const { signIn } = await import("../sign-in/sign-in.ts");
  const { openBrowser } = await import("../sign-in/open-browser.ts");
  const state = await signIn(context, {
    server,
    ...(issuer === undefined ? {} : { issuer }),
    ...(email === undefined ? {} : { email }),
    ...(ask === undefined ? {} : { askEmail: () => ask("Your e-mail address at work: ") }),
    ...(options.device ? { showDeviceCode: (code: DeviceCode) => showDeviceCode(context, code) } : {}),
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
  const output = options.browser ? context.stdout : context.stderr;
  output.write(whoText(state, nowSeconds(context), columnsOf(output)));
}
