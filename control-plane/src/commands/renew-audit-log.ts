import { SallyportError } from "@sallyport/core/errors.ts";
import type { Command } from "commander";
import { renewAuditLog } from "../audit/renew-audit-log.ts";
import { addCommand, type CommandContext, examples, withStore } from "./command.ts";

interface Options {
  config: string;
  reason: string;
}

/** `renew-audit-log` */
export function registerRenewAuditLog(program: Command, context: CommandContext): void {
  addCommand(program, "renew-audit-log")
    .summary("begin a new audit log where the old one cannot go on")
    .description(
      "Begins a new audit log with a new key, over what the database has, and prints the key to verify it with; the old key and its last checkpoint are set aside. For when the old log cannot go on; stop the control plane before.",
    )
    .requiredOption("--reason <text>", "why, in one line of up to 500 characters; the new log begins with it")
    .addHelpText(
      "after",
      examples(
        'renew-audit-log --config /etc/sallyport/control-plane.yaml \\\n      --reason "database restored from the backup of 2 November"',
      ),
    )
    .action((options: Options) => renew(context, options));
}

async function renew(context: CommandContext, { config: file, reason }: Options): Promise<void> {
  if (!/^[^\p{Cc}]{1,500}$/u.test(reason))
    throw new SallyportError("usage", "--reason takes one line of text, of 1 to 500 characters.");
  const { environment, stdout, stderr } = context;
  const key = await withStore(context, file, ({ url }, { db, keys: { ring } }) =>
    renewAuditLog({ db, environment, ring, url }, reason),
  );
  stderr.write(
    "The new log is verified with this key; give it to everybody who verifies, and start the control plane:\n",
  );
  stdout.write(`${key}\n`);
}
