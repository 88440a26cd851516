import { SallyportError } from "@sallyport/core/errors.ts";
import type { Command } from "commander";
import { JoinTokenRequest, makeJoinToken } from "../hosts/join-token.ts";
import { addCommand, type CommandContext, examples, withStore } from "./command.ts";

interface Options {
  config: string;
  name: string;
  address: string;
  port?: string;
  label: string[];
}

/** `join-token` */
export function registerJoinToken(program: Command, context: CommandContext): void {
  addCommand(program, "join-token")
    .summary("let one host enrol")
    .description(
      "Prints a token with which one host of that name may enrol, once, within 24 hours. The control plane may be running.",
    )
    .requiredOption("--name <name>", "the host's name, as engagements and contractors have it")
    .requiredOption("--address <address>", "where contractors reach its sshd: an IP address or a host name")
    .option("--port <port>", "the port of its sshd (default: 22)")
    .option(
      "--label <key=value>",
      "a label that engagements can choose hosts by; may be repeated",
      (text, labels: string[]) => [...labels, text],
      [] as string[],
    )
    .addHelpText(
      "after",
      examples(
        "join-token --config /etc/sallyport/control-plane.yaml \\\n      --name web-1 --address 192.0.2.7 --label env=production",
      ),
    )
    .action((options: Options) => joinToken(context, options));
}

async function joinToken(context: CommandContext, options: Options): Promise<void> {
  const { name, address } = options;
  const labels = Object.fromEntries(options.label.map(splitLabel));
  const port = options.port === undefined ? undefined : Number(options.port);
  const request = JoinTokenRequest.safeParse({ name, address, port, labels });
  if (!request.success) {
    const issue = request.error.issues[0];
    throw new SallyportError("usage", `--${issue?.path[0]?.toString() ?? ""}: ${issue?.message}.`);
  }
  const token = await withStore(context, options.config, (config, { db, keys }) =>
    makeJoinToken({ db, environment: context.environment, config, keys }, request.data, "command line"),
  );
  context.stderr.write(`Enrols one host as ${name}, once, within 24 hours. It is shown only now.\n`);
  context.stdout.write(`${token}\n`);
}

function splitLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1)
    throw new SallyportError("usage", `--label ${text} is not KEY=VALUE, such as --label env=production.`);
  return [text.slice(0, at), text.slice(at + 1)];
}
