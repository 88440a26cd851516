import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { ControlPlane } from "../api/control-plane.ts";
import type { Context } from "../context.ts";
import { keyForLogin } from "../sign-in/key-for-login.ts";
import { hostArgument } from "../ssh/host-argument.ts";
import { runSsh } from "../ssh/run-ssh.ts";
import { writeConfig } from "../ssh-config/write-config.ts";
import { statePaths } from "../state/paths.ts";
import { requireSignIn, type SignInState, withMe, writeSignIn } from "../state/sign-in-state.ts";
import { examples } from "./command.ts";

/** `sallyport ssh`; `onStatus` gets ssh's own exit status. */
export function registerSsh(program: Command, context: Context, onStatus: (status: number) => void): void {
  program
    .command("ssh")
    .summary("connect to a host, signing in first if need be")
    .description(
      "Connect to a host with ssh, signing in first if need be. All arguments go to ssh as they are.",
    )
    .usage("[ssh options] HOST [command…]")
    .argument("[args...]")
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText(
      "after",
      examples(
        "sallyport ssh web-1",
        "sallyport ssh web-1 uptime",
        "sallyport ssh -o ServerAliveInterval=30 deploy@web-1",
      ),
    )
    .action(async (args: string[]) => onStatus(await ssh(context, args)));
}

async function ssh(context: Context, args: string[]): Promise<number> {
  const host = hostArgument(args);
  if (host === undefined && args.length === 0) {
    throw new SallyportError("usage", "Name the host: sallyport ssh HOST [command…]");
  }
  if (host !== undefined) {
    await keyForLogin(context);
    await assertKnown(context, host);
  }
  return await runSsh(["-F", statePaths(context.home).sshConfig, ...args]);
}

/** An unknown host may have been granted since the sign-in: asks once, and writes the ssh_config anew. Code `host-unknown`. */
async function assertKnown(context: Context, host: string): Promise<void> {
  let state = requireSignIn(context);
  if (!hasHost(state, host)) {
    state = withMe(state, await new ControlPlane(state.server, state.apiToken).me());
    writeSignIn(context, state);
    writeConfig(context, state);
  }
  if (!hasHost(state, host)) throw unknownHost(state, host);
}

function hasHost(state: SignInState, host: string): boolean {
  return [...state.me.hosts, ...state.formerHosts].some((each) => each.name === host);
}

function unknownHost(state: SignInState, host: string): SallyportError {
  const ended = state.me.engagements.find(
    (each) => each.state === "ended" && each.hosts.some((name) => name === host),
  );
  const names = state.me.hosts.map((each) => each.name).join(", ");
  const sentence =
    ended !== undefined
      ? `Engagement ${ended.name}, which gave you ${host}, has ended; ask ${printable(ended.contact)}.`
      : names === ""
        ? `No engagement gives you ${printable(host)} or any other host.`
        : `${printable(host)} is none of your hosts, which are: ${names}.`;
  return new SallyportError("host-unknown", sentence);
}
