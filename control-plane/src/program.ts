import { isSallyportError } from "@sallyport/core/errors.ts";
import { Command, CommanderError } from "commander";
import { registerBackup } from "./commands/backup.ts";
import { registerBootstrapToken } from "./commands/bootstrap-token.ts";
import { registerCheckConfig } from "./commands/check-config.ts";
import type { CommandContext } from "./commands/command.ts";
import { registerEncryptKeys } from "./commands/encrypt-keys.ts";
import { registerJoinToken } from "./commands/join-token.ts";
import { registerRenewAuditLog } from "./commands/renew-audit-log.ts";
import { registerRenewGrantKey } from "./commands/renew-grant-key.ts";
import { registerRestore } from "./commands/restore.ts";
import { registerRotateKey } from "./commands/rotate-key.ts";
import { registerServe } from "./commands/serve.ts";
import { registerSetup } from "./commands/setup.ts";
import { PROGRAM_NAME } from "./program-name.ts";

const HELP = `Environment:
  SALLYPORT_KEYS_PASSPHRASE_FILE
      The file with the passphrase of the key files; default: systemd's credential keys-passphrase, where there is one.
  DATABASE_URL
      A PostgreSQL database, which replicas can share: postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=verify-full
      Without it: an SQLite file in the data directory.
  SALLYPORT_OBJECTS
      An S3-compatible bucket for recordings: s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION
      It is opened with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without it: files in the data directory.

Exit codes:
  0  done, or told to stop
  1  it could not
  2  the command line or the configuration is wrong`;

/** Runs one command line and returns the exit status. Prints at most one sentence about what went wrong. */
export async function run(args: readonly string[], context: CommandContext): Promise<number> {
  try {
    await buildProgram(context).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    // commander has printed the help or the complaint itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const isOurs = isSallyportError(error);
    const hint = isSallyportError(error, "usage") ? " --help shows how to call it." : "";
    context.stderr.write(
      `${isOurs ? `${error.message}${hint}` : `The control plane failed: ${String(error)}`}\n`,
    );
    return isOurs && ["usage", "config-invalid", "config-missing"].includes(error.code) ? 2 : 1;
  }
}

function buildProgram(context: CommandContext): Command {
  const program = new Command(PROGRAM_NAME)
    .description("The control plane of Sallyport: decides, issues certificates, keeps recordings.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: (text, write) =>
        write(text.replace(/^error: (.)/, (_, first: string) => first.toUpperCase())),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    })
    .showHelpAfterError("--help shows how to call it.")
    .addHelpText("after", `\n${HELP}`);
  registerServe(program, context);
  registerSetup(program, context);
  registerCheckConfig(program, context);
  registerJoinToken(program, context);
  registerBootstrapToken(program, context);
  registerEncryptKeys(program, context);
  registerBackup(program, context);
  registerRestore(program, context);
  registerRotateKey(program, context);
  registerRenewAuditLog(program, context);
  registerRenewGrantKey(program, context);
  return program;
}
