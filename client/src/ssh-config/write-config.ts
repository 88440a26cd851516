import { printable } from "@sallyport/core/terminal-text.ts";
import type { Context } from "../context.ts";
import { writeDurably } from "../state/durable-file.ts";
import { type StatePaths, statePaths } from "../state/paths.ts";
import type { SignInState } from "../state/sign-in-state.ts";
import { configText } from "./config-text.ts";
import { type PlainHost, plainHost } from "./config-value.ts";
import { ensureScriptText } from "./ensure-script.ts";
import { knownHostsText } from "./known-hosts.ts";

type Wanted = Pick<Context, "home" | "nodePath" | "mainPath" | "stderr">;

/** The ssh_config text for a sign-in; says on standard error which hosts it had to leave out. */
export function configFor(
  context: Wanted,
  signIn: SignInState,
): { text: string; hosts: PlainHost[]; paths: StatePaths } {
  const paths = statePaths(context.home);
  const hosts: PlainHost[] = [];
  for (const host of [...signIn.me.hosts, ...signIn.formerHosts]) {
    const plain = plainHost(host);
    if (plain !== undefined) hosts.push(plain);
    else
      context.stderr.write(
        `sallyport: left out ${printable(host.name)}: ssh could misread its address or accounts.\n`,
      );
  }
  return {
    text: configText(hosts, paths),
    hosts,
    paths,
  };
}

/** Writes `ssh_config` and `known_hosts` for the hosts of a sign-in. */
export function writeConfig(context: Wanted, signIn: SignInState): StatePaths {
  const { text, hosts, paths } = configFor(context, signIn);
  writeDurably(paths.knownHosts, knownHostsText(hosts, signIn.hostCaKeys));
  writeDurably(paths.ensureScript, ensureScriptText(paths, context.nodePath, context.mainPath));
  writeDurably(paths.sshConfig, text);
  return paths;
}
