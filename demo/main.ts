import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { controlPlaneReady, makeJoinToken, startControlPlane } from "./control-plane.ts";
import { type Addresses, configurationText, demoFileText, policyText } from "./files.ts";
import { guideText } from "./guide.ts";
import { startIdentityProvider } from "./identity-provider.ts";
import { CLONE } from "./light-host/agent.ts";
import { startLightHost } from "./light-host.ts";
import { type DemoOptions, HELP, PORT_COUNT, parseOptions, UsageError } from "./options.ts";
import { requirePorts } from "./ports.ts";
import { CONTRACTOR_ACCOUNT, engagements, HOST_NAME, PEOPLE } from "./seed.ts";
import { prepareDirectory } from "./state-directory.ts";
import { writeTypingBrowsers } from "./typing-browsers.ts";

const ADDRESS = "127.0.0.1";
const begun = performance.now();

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(message(error));
  return error instanceof UsageError ? 2 : 1;
});

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv, process.cwd());
  if (options === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  if (process.getuid?.() !== 0)
    throw new Error(
      "The demo starts a host with accounts and an sshd of its own, in namespaces: start it as root.",
    );
  const interrupted = signalled(["SIGINT", "SIGTERM", "SIGHUP"]);
  const addresses = addressesFrom(options.port);
  process.umask(0o022);
  await requirePorts(
    ADDRESS,
    Array.from({ length: PORT_COUNT }, (_, index) => options.port + index),
  );
  prepareDirectory(options.directory);

  const parts = new AsyncDisposableStack();
  const enough = new AbortController();
  const ended = start(options, addresses, parts, enough.signal);
  try {
    await Promise.race([interrupted, ended]);
    return 0;
  } catch (error) {
    console.error(message(error));
    return 1;
  } finally {
    say("ending ...");
    enough.abort();
    await parts.disposeAsync();
    // It may have been in the middle of starting something.
    await ended.catch(() => {});
    say("ended; nothing is left running");
  }
}

/**
 * Starts the parts in their order, each put into `parts` as it starts, and then waits: it settles only by throwing, when
 * a part ends by itself or it has been `enough`.
 */
async function start(
  options: DemoOptions,
  addresses: Addresses,
  parts: AsyncDisposableStack,
  enough: AbortSignal,
): Promise<never> {
  const file = (name: string) => join(options.directory, name);
  const planned = engagements(new Date());

  const idp = await startIdentityProvider({ port: options.port + 1, users: PEOPLE, signal: enough });
  enough.throwIfAborted();
  say(`identity provider at ${idp.issuer}`);

  const where = {
    port: options.port,
    addresses,
    dataDirectory: file("data"),
    policyFile: file("policy.yaml"),
  };
  writeFileSync(file("policy.yaml"), policyText(PEOPLE, planned), { mode: 0o600 });
  writeFileSync(file("control-plane.yaml"), configurationText(where, PEOPLE), { mode: 0o600 });
  const controlPlane = startControlPlane(file("control-plane.yaml"), file("control-plane.log"));
  parts.defer(() => controlPlane.stop());
  await Promise.race([controlPlaneReady(addresses.console, enough), controlPlane.failure()]);
  enough.throwIfAborted();
  say(`control plane at ${addresses.console}`);

  const place = { name: HOST_NAME, address: ADDRESS, port: options.port + 2 };
  const joinToken = await makeJoinToken(file("control-plane.yaml"), place);
  enough.throwIfAborted();
  const starting = startLightHost({
    ...{ name: HOST_NAME, address: ADDRESS, sshPort: place.port, directory: file(HOST_NAME) },
    accounts: [{ name: CONTRACTOR_ACCOUNT }],
    joinToken,
  });
  parts.defer(async () => (await starting.catch(() => undefined))?.close());
  const host = await Promise.race([starting, controlPlane.failure()]);
  say(`host ${HOST_NAME}, sshd at ${host.address}:${host.port}`);

  writeFileSync(file("demo.json"), demoFileText(addresses, PEOPLE, planned), { mode: 0o600 });
  writeTypingBrowsers(
    options.directory,
    PEOPLE.map((person) => person.name),
  );
  const guide = { directory: options.directory, clone: CLONE, browser: hasBrowser() };
  process.stdout.write(guideText(guide, addresses, PEOPLE));

  const hostGone = host.gone.then(() => {
    throw new Error(`The host ${HOST_NAME} ended. Its logs are in ${file(HOST_NAME)}.`);
  });
  return Promise.race([controlPlane.failure(), hostGone]);
}

function addressesFrom(port: number): Addresses {
  return {
    console: `http://${ADDRESS}:${port}`,
    issuer: `http://${ADDRESS}:${port + 1}`,
    hosts: [{ name: HOST_NAME, address: ADDRESS, port: port + 2 }],
  };
}

function hasBrowser(): boolean {
  return Boolean(process.env.BROWSER || process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

/** Resolves with the first of the signals; later ones change nothing, as the end is on its way. */
function signalled(signals: readonly NodeJS.Signals[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) process.on(signal, () => resolve());
  });
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function say(text: string): void {
  console.log(`[${((performance.now() - begun) / 1000).toFixed(1).padStart(5)} s] ${text}`);
}
