import type { Command } from "commander";
import { loadConfiguration } from "../config/load-configuration.ts";
import { startControlPlane } from "../control-plane.ts";
import { readPassphrase } from "../keys/passphrase.ts";
import { errorFields } from "../log.ts";
import { objectsLocation } from "../objects/objects-url.ts";
import { addCommand, type CommandContext, examples } from "./command.ts";

/** `serve` */
export function registerServe(program: Command, context: CommandContext): void {
  addCommand(program, "serve")
    .summary("serve the HTTP API and the host link")
    .description(
      "Serves the HTTP API and the host link until SIGTERM or SIGINT. SIGHUP reads the policy file and the TLS files again. Logs JSON, one object a line, on standard output.",
    )
    .addHelpText("after", examples("serve --config /etc/sallyport/control-plane.yaml"))
    .action(({ config }: { config: string }) => serve(context, config));
}

async function serve({ environment, databaseUrl, variables }: CommandContext, file: string): Promise<void> {
  const controlPlane = await startControlPlane({
    config: loadConfiguration(file),
    environment,
    databaseUrl,
    objects: objectsLocation(variables),
    passphrase: readPassphrase(variables),
  });
  process.on("SIGHUP", () => {
    controlPlane.reloadTls();
    controlPlane.reloadPolicy().catch((error: unknown) => {
      environment.log.error("policy not applied, the old one stays", errorFields(error));
    });
  });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  // Said last: whoever reads it may send signals.
  environment.log.info("listening", { url: controlPlane.url });
  await stopped;
  environment.log.info("stopping");
  await controlPlane.close();
}
