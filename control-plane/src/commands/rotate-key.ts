import type { Command } from "commander";
import { rotateKey } from "../keys/rotate-key-command.ts";
import { addCommand, type CommandContext, examples, withStore } from "./command.ts";

interface Options {
  config: string;
  kind?: string;
  finish?: boolean;
  force?: boolean;
  status?: boolean;
}

/** `rotate-key` */
export function registerRotateKey(program: Command, context: CommandContext): void {
  addCommand(program, "rotate-key")
    .summary("replace a key while everything goes on")
    .description(
      "Begins to replace a key: hosts and clients come to trust the next one as well, and when all have it, it signs. --finish then ends the trust in the old one. The control plane may be running.",
    )
    .option("--kind <kind>", "the key: user-ca, host-ca or policy")
    .option("--finish", "end the trust in the old key")
    .option("--force", "do not wait for the hosts that have not got the new key")
    .option("--status", "only show how things stand; without --kind, of all keys")
    .addHelpText(
      "after",
      examples(
        "rotate-key --config /etc/sallyport/control-plane.yaml --status",
        "rotate-key --config /etc/sallyport/control-plane.yaml --kind user-ca",
        "rotate-key --config /etc/sallyport/control-plane.yaml --kind user-ca --finish",
      ),
    )
    .action((options: Options) => rotate(context, options));
}

async function rotate(context: CommandContext, options: Options): Promise<void> {
  const { kind, finish = false, force = false, status = false } = options;
  const { environment } = context;
  const lines = await withStore(context, options.config, (config, { db, keys }) =>
    rotateKey({ db, environment, keys, config }, { kind, finish, force, status }),
  );
  context.stdout.write(`${lines.join("\n")}\n`);
}
