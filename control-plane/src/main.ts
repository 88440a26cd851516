import { join } from "node:path";
import { parseArgs } from "node:util";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { renewAuditLog } from "./audit/renew-audit-log.ts";
import { loadConfiguration } from "./config/load-configuration.ts";
import { startControlPlane } from "./control-plane.ts";
import { systemRandom } from "./environment.ts";
import { JoinTokenRequest, makeJoinToken } from "./hosts/join-token.ts";
import { makeBootstrapToken } from "./issuance/api-token.ts";
import { encryptKeys } from "./keys/encrypt-keys.ts";
import { readPassphrase } from "./keys/passphrase.ts";
import { rotateKey } from "./keys/rotate-key-command.ts";
import { createLog, errorFields } from "./log.ts";
import { objectsLocation } from "./objects/objects-url.ts";
import { openStore } from "./store.ts";

/*
 * The control plane's program. It reads arguments and clock, and wires; everything else is elsewhere. Exit status: 0
 * when it was told to stop, 2 for wrong arguments or configuration, 1 for anything else.
 */

const HELP = `The control plane of Sallyport: decides, issues certificates, keeps recordings.

Usage:
  main.ts serve --config FILE
      Serves the HTTP API and the host link until SIGTERM or SIGINT. SIGHUP reads the policy file and the
      TLS files again.
      Example: node control-plane/src/main.ts serve --config /etc/sallyport/control-plane.yaml

  main.ts join-token --config FILE --name NAME --address ADDRESS [--port PORT] [--label KEY=VALUE]…
      Prints a token with which one host of that name may enrol, once, within 24 hours.
      Example: node control-plane/src/main.ts join-token --config /etc/sallyport/control-plane.yaml \\
                 --name web-1 --address 192.0.2.7 --port 22 --label env=production

  main.ts bootstrap-token --config FILE [--force]
      Prints an API token with the permissions of an admin for one hour, for setting up before anybody can sign in. Not
      when the configuration names staff, but for --force. Who uses it has it in SALLYPORT_TOKEN.
      Example: SALLYPORT_TOKEN=$(node control-plane/src/main.ts bootstrap-token --config FILE) \\
                 SALLYPORT_SERVER=https://sallyport.example.com sallyport apply -f policy.yaml

  main.ts renew-audit-log --config FILE --reason TEXT
      Begins a new audit log with a new key, over what the database has, and prints the key to verify it with; the old
      key and its last checkpoint are set aside. For when the old log cannot go on; stop the control plane before.
      Example: node control-plane/src/main.ts renew-audit-log --config /etc/sallyport/control-plane.yaml \\
                 --reason "database restored from the backup of 2 November"

  main.ts encrypt-keys --config FILE
      Encrypts the key files in the data directory by the passphrase, and prints which. Serve needs the passphrase then.
      Example: SALLYPORT_KEYS_PASSPHRASE_FILE=/root/passphrase node control-plane/src/main.ts encrypt-keys \\
                 --config /etc/sallyport/control-plane.yaml

  main.ts rotate-key --config FILE --kind user-ca|host-ca|policy [--force | --finish [--force] | --status]
      Begins to replace a key: hosts and clients come to trust the next one as well, and when all have it, it signs.
      --finish then ends the trust in the old one. --status only shows, without --kind all. --force does not wait.
      Example: node control-plane/src/main.ts rotate-key --config /etc/sallyport/control-plane.yaml --kind user-ca

Environment:
  SALLYPORT_KEYS_PASSPHRASE_FILE  The file with the passphrase of the key files; default: systemd's credential
                                  keys-passphrase, where there is one.
  DATABASE_URL  A PostgreSQL database (postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=verify-full), which replicas can
                share. Without it: an SQLite file in the data directory.
  SALLYPORT_OBJECTS
                An S3-compatible bucket for recordings (s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION), opened with
                AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without it: files in the data directory.
`;

const environment = { clock: Date.now, random: systemRandom, log: createLog() };

// It holds a password: nothing that is started from here gets it.
const { DATABASE_URL: databaseUrl, ...variables } = process.env;
delete process.env.DATABASE_URL;
delete process.env.AWS_SECRET_ACCESS_KEY;

async function main(argv: string[]): Promise<void> {
  const { values, positionals } = readArguments(argv);
  const [command, ...rest] = positionals;
  if (values.help === true) return void process.stdout.write(HELP);
  if (rest.length > 0) throw usage(`unexpected argument ${rest[0]}`);
  if (values.config === undefined) throw usage("--config FILE is missing");
  if (command === "serve") return serve(values.config);
  if (command === "join-token") return joinToken(values.config, values);
  if (command === "bootstrap-token") return bootstrap(values.config, values.force);
  if (command === "renew-audit-log") return renew(values.config, values.reason);
  if (command === "encrypt-keys") return encrypt(values.config);
  if (command === "rotate-key") return rotate(values.config, values);
  throw usage(command === undefined ? "the command is missing" : `there is no command ${command}`);
}

function readArguments(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        config: { type: "string" },
        name: { type: "string" },
        address: { type: "string" },
        port: { type: "string" },
        label: { type: "string", multiple: true },
        reason: { type: "string" },
        kind: { type: "string" },
        finish: { type: "boolean", default: false },
        force: { type: "boolean", default: false },
        status: { type: "boolean", default: false },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (cause) {
    throw usage(cause instanceof Error ? cause.message : String(cause));
  }
}

async function serve(file: string): Promise<void> {
  const controlPlane = await startControlPlane(
    loadConfiguration(file),
    environment,
    databaseUrl,
    objectsLocation(variables),
    readPassphrase(process.env),
  );
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
  process.exitCode = 0;
}

async function joinToken(file: string, values: ReturnType<typeof readArguments>["values"]): Promise<void> {
  const config = loadConfiguration(file);
  const labels = Object.fromEntries((values.label ?? []).map(splitLabel));
  const port = values.port === undefined ? undefined : Number(values.port);
  const request = JoinTokenRequest.safeParse({ name: values.name, address: values.address, port, labels });
  if (!request.success) {
    const issue = request.error.issues[0];
    throw usage(`--${issue?.path.join(".") ?? ""}: ${issue?.message}`);
  }
  const { db, keys } = await openStore(config, databaseUrl, undefined, readPassphrase(process.env));
  try {
    const token = await makeJoinToken({ db, environment, config, keys }, request.data, "command line");
    process.stdout.write(`${token}\n`);
  } finally {
    await db.destroy();
  }
}

async function bootstrap(file: string, force: boolean): Promise<void> {
  const config = loadConfiguration(file);
  if (config.staff.length + config.staffGroups.length > 0 && !force)
    throw usage(
      "the configuration names staff: sign in as one of them with `sallyport login`, or add --force where nobody can",
    );
  const { db } = await openStore(config, databaseUrl, undefined, readPassphrase(process.env));
  try {
    const { token, expiresAt } = await makeBootstrapToken({ db, environment }, config.url);
    process.stderr.write(`Good until ${new Date(expiresAt * 1000).toISOString()}. It is shown only now.\n`);
    process.stdout.write(`${token}\n`);
  } finally {
    await db.destroy();
  }
}

async function renew(file: string, reason = ""): Promise<void> {
  if (!/^[^\p{Cc}]{1,500}$/u.test(reason)) throw usage("--reason TEXT is missing, or no line of text");
  const config = loadConfiguration(file);
  const { db, keys } = await openStore(config, databaseUrl, undefined, readPassphrase(process.env));
  try {
    const key = await renewAuditLog({ db, environment, ring: keys.ring, url: config.url }, reason);
    process.stdout.write(`${key}\n`);
  } finally {
    await db.destroy();
  }
}

function encrypt(file: string): void {
  const { dataDirectory } = loadConfiguration(file);
  for (const encrypted of encryptKeys(join(dataDirectory, "keys"), readPassphrase(process.env)))
    process.stdout.write(`${encrypted}\n`);
}

async function rotate(file: string, values: ReturnType<typeof readArguments>["values"]): Promise<void> {
  const config = loadConfiguration(file);
  const { db, keys } = await openStore(config, databaseUrl, undefined, readPassphrase(process.env));
  try {
    const { kind, finish = false, force = false, status = false } = values;
    const lines = await rotateKey({ db, environment, keys, config }, { kind, finish, force, status });
    process.stdout.write(`${lines.join("\n")}\n`);
  } finally {
    await db.destroy();
  }
}

function splitLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usage(`--label ${text} is not KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function usage(problem: string): SallyportError {
  return new SallyportError("usage", `${problem}. --help shows how to call it.`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isOurs = isSallyportError(error);
  process.stderr.write(`${isOurs ? error.message : `The control plane failed: ${String(error)}`}\n`);
  process.exitCode = isOurs && ["usage", "config-invalid", "config-missing"].includes(error.code) ? 2 : 1;
}
