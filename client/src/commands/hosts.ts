import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { json } from "../output/json.ts";
import { columnsOf } from "../output/table.ts";
import { hostTable, warnings } from "../output/who.ts";
import { writeConfig } from "../ssh-config/write-config.ts";
import { withMe, writeSignIn } from "../state/sign-in-state.ts";
import { examples, signedInApi } from "./command.ts";

/** `sallyport hosts` */
export function registerHosts(program: Command, context: Context): void {
  program
    .command("hosts")
    .summary("the hosts that your engagements give you")
    .description(
      "List the hosts that you may reach now or later, and bring the ssh_config up to date with them.",
    )
    .option("--json", "as a JSON array")
    .addHelpText("after", examples("sallyport hosts", "sallyport hosts --json"))
    .action((options: { json?: boolean }) => hosts(context, options));
}

async function hosts(context: Context, options: { json?: boolean }): Promise<void> {
  const { api, state } = signedInApi(context);
  const me = await api.me();
  const updated = withMe(state, me);
  writeSignIn(context, updated);
  writeConfig(context, updated);
  if (options.json) {
    const list = me.hosts.map((host) => ({
      id: host.name,
      ...host,
      engagements: me.engagements
        .filter((each) => each.hosts.includes(host.name))
        .map(({ id, name, state }) => ({ id, name, state })),
    }));
    return void context.stdout.write(json(list));
  }
  if (me.hosts.length === 0) context.stderr.write("No engagement gives you a host at the moment.\n");
  context.stdout.write(hostTable(me, columnsOf(context.stdout)));
  context.stderr.write(warnings(me, nowSeconds(context)));
}
