import { Command, CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import { registerApply } from "./commands/apply.ts";
import { registerApprovals } from "./commands/approvals.ts";
import { registerAudit } from "./commands/audit.ts";
import { registerConfig } from "./commands/config.ts";
import { registerEngagement } from "./commands/engagement.ts";
import { registerExport } from "./commands/export.ts";
import { registerHold } from "./commands/hold.ts";
import { registerHosts } from "./commands/hosts.ts";
import { registerIdp } from "./commands/idp.ts";
import { registerLogin } from "./commands/login.ts";
import { registerLogout } from "./commands/logout.ts";
import { registerMember } from "./commands/member.ts";
import { registerPlay } from "./commands/play.ts";
import { registerPolicy } from "./commands/policy.ts";
import { registerRequest } from "./commands/request.ts";
import { registerRevocations } from "./commands/revocations.ts";
import { registerRevoke } from "./commands/revoke.ts";
import { registerSessions } from "./commands/sessions.ts";
import { registerSsh } from "./commands/ssh.ts";
import { registerStatus } from "./commands/status.ts";
import { registerToken } from "./commands/token.ts";
import { registerUnrevoke } from "./commands/unrevoke.ts";
import { registerVerify } from "./commands/verify.ts";
import { registerWeb } from "./commands/web.ts";
import { registerWhy } from "./commands/why.ts";
import type { Context } from "./context.ts";
import { EXIT_CODE_HELP, ExitCode, exitCodeFor } from "./exit-codes.ts";
import { removeExpiredKey } from "./keys/remove-key.ts";
import { reportFailure } from "./report-failure.ts";

const ENVIRONMENT_HELP = `Environment:
  SALLYPORT_HOME    where state is kept (~/.config/sallyport)
  SALLYPORT_TOKEN   an API token instead of a sign-in, for programs; with SALLYPORT_SERVER
  SALLYPORT_SERVER  the control plane that SALLYPORT_TOKEN is for
  SALLYPORT_DEBUG   show where an error came from
  BROWSER           the program that opens an address
  SSH_AUTH_SOCK     the ssh-agent that keeps your key; without one it is in a file in memory`;

/** Runs one command line and returns the exit status. Prints at most one sentence about what went wrong. */
export async function run(args: readonly string[], context: Context): Promise<number> {
  let status: number = ExitCode.ok;
  const program = buildProgram(context, (code) => {
    status = code;
  });
  try {
    await removeExpiredKey(context);
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    // commander has printed the help or the complaint itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    reportFailure(context, error);
    return exitCodeFor(error);
  }
}

function buildProgram(context: Context, onStatus: (status: number) => void): Command {
  const program = new Command("sallyport")
    .description("SSH access for as long as an engagement lasts, signed in with your identity provider.")
    .version(manifest.version, "-V, --version", "print the version")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "sallyport: ")),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => Math.min(context.stdout.columns ?? 100, 100),
      getErrHelpWidth: () => Math.min(context.stderr.columns ?? 100, 100),
    })
    .addHelpText("after", `\n${EXIT_CODE_HELP}\n\n${ENVIRONMENT_HELP}`);
  program.commandsGroup("For contractors:");
  registerLogin(program, context);
  registerSsh(program, context, onStatus);
  registerConfig(program, context);
  registerHosts(program, context);
  registerStatus(program, context);
  registerWhy(program, context);
  registerRequest(program, context);
  registerLogout(program, context);
  program.commandsGroup("For the security team:");
  registerSessions(program, context);
  registerPlay(program, context);
  registerExport(program, context);
  registerVerify(program, context);
  registerWeb(program, context);
  registerHold(program, context);
  registerAudit(program, context);
  registerRevoke(program, context, onStatus);
  registerUnrevoke(program, context);
  registerRevocations(program, context);
  registerIdp(program, context);
  registerToken(program, context);
  registerEngagement(program, context);
  registerMember(program, context);
  registerApply(program, context, onStatus);
  registerPolicy(program, context, onStatus);
  registerApprovals(program, context);
  pointToHelp(program, "sallyport");
  return program;
}

/** Has each command's complaint about its arguments name its own help. */
function pointToHelp(command: Command, call: string): void {
  command.showHelpAfterError(`(see: ${call} --help)`);
  for (const each of command.commands) pointToHelp(each, `${call} ${each.name()}`);
}
