import type { Command } from "commander";
import type { Context } from "../context.ts";
import { addInclude, includeLine, removeInclude } from "../ssh-config/include-line.ts";
import { configFor, writeConfig } from "../ssh-config/write-config.ts";
import { statePaths } from "../state/paths.ts";
import { readSignIn, requireSignIn } from "../state/sign-in-state.ts";
import { examples } from "./command.ts";

/** `sallyport config ssh` */
export function registerConfig(program: Command, context: Context): void {
  const config = program
    .command("config")
    .summary("set up other programs")
    .description("Set up other programs.");
  config
    .command("ssh")
    .summary("make plain ssh, scp, rsync and git work")
    .description(
      "Write an ssh_config for your hosts and include it from ~/.ssh/config, so that plain ssh, scp, rsync, git and editors reach them and sign in on demand.",
    )
    .option("--print", "only print the block, and write nothing")
    .option("--remove", "take the Include line out of ~/.ssh/config again")
    .addHelpText(
      "after",
      examples("sallyport config ssh", "sallyport config ssh --print", "sallyport config ssh --remove"),
    )
    .action((options: ConfigSshOptions) => configureSsh(context, options));
}

interface ConfigSshOptions {
  print?: boolean;
  remove?: boolean;
}

function configureSsh(context: Context, options: ConfigSshOptions): void {
  if (options.remove) {
    const { path, changed } = removeInclude(
      context.userHome,
      includeLine(statePaths(context.home).sshConfig),
    );
    const said = changed ? `Took our Include line out of ${path}.` : `${path} has no Include line of ours.`;
    return void context.stderr.write(`${said}\n`);
  }
  // An expired sign-in will do: ssh renews it on demand.
  const state = readSignIn(context) ?? requireSignIn(context);
  if (options.print) return void context.stdout.write(configFor(context, state).text);
  const { sshConfig } = writeConfig(context, state);
  const { path, changed } = addInclude(context.userHome, includeLine(sshConfig));
  const names = state.me.hosts.map((host) => host.name).join(", ");
  context.stderr.write(`Wrote ${sshConfig}${names === "" ? " (no hosts yet)" : ` for ${names}`}.\n`);
  context.stderr.write(
    changed ? `Added one Include line at the top of ${path}.\n` : `${path} includes it already.\n`,
  );
}
