import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import type { Command } from "commander";
import { type Restored, restoreBackup } from "../backup/restore-backup.ts";
import { textIn } from "../backup/tar.ts";
import type { Owner } from "../backup/verify-backup.ts";
import { Configuration } from "../config/configuration.ts";
import { loadConfiguration } from "../config/load-configuration.ts";
import { PROGRAM_NAME } from "../program-name.ts";
import { isRoot, serviceUser } from "../setup/service-user.ts";
import { placeConfiguration } from "../setup/write-configuration.ts";
import { addCommand, type CommandContext, examples } from "./command.ts";

interface Options {
  config: string;
  in: string;
  force?: boolean;
  nothingSince?: boolean;
}

/** `restore` */
export function registerRestore(program: Command, context: CommandContext): void {
  addCommand(program, "restore")
    .summary("put a backup in place")
    .description(
      "Verifies a backup whole, and then puts it into the data directory: a damaged one changes nothing. The control plane must not be running. The configuration stays as it is where there is one, and is that of the backup where there is none.",
    )
    .requiredOption("--in <file>", "the backup")
    .option("--force", "move what is in the data directory aside, into before-TIME there")
    .option(
      "--nothing-since",
      "the control plane was stopped before the backup and did not run since: its audit log goes on. Danger: else two histories are signed with one key",
    )
    .addHelpText("after", examples("restore --in /var/backups/sallyport-2026-11-02.tar"))
    .action((options: Options) => restore(context, options));
}

async function restore({ environment, stderr }: CommandContext, options: Options): Promise<void> {
  const { config: configFile, in: file, force = false, nothingSince = false } = options;
  const hasConfiguration = existsSync(configFile);
  const config = hasConfiguration ? loadConfiguration(configFile) : await configurationIn(file);
  const owner = ownerOf(config.dataDirectory);
  const { clock } = environment;
  const restored = await restoreBackup({ config, file, force, nothingSince, owner, clock, stderr });
  const lines = [
    `Restored ${restored.files} files, backed up ${restored.head.createdAt}, into ${config.dataDirectory}.`,
    ...(restored.aside === undefined ? [] : [`What was there is in ${restored.aside}.`]),
    ...configurationPlaced(configFile, hasConfiguration, restored),
    ...(restored.head.recordings === "left-out"
      ? ["The backup has no recordings: those of before cannot be played."]
      : []),
    ...(restored.head.database === "postgresql"
      ? ["It has no database: restore what pg_dump made, then go on here."]
      : []),
    ...next(configFile, restored),
  ];
  stderr.write(`${lines.join("\n")}\n`);
}

/** Of a machine that has none: that of the backup, which is verified before it is put in place. */
async function configurationIn(file: string): Promise<Readonly<Configuration>> {
  if (!existsSync(file)) throw new SallyportError("usage", `${file} cannot be read: check the path.`);
  const text = await textIn(file, "configuration.yaml");
  if (text === undefined)
    throw new SallyportError("message-malformed", `${file} is damaged, or no backup of a control plane.`);
  return readYaml(text, "configuration.yaml of the backup", Configuration).value;
}

/** The data directory's owner, or the service's user where there is none yet. */
function ownerOf(dataDirectory: string): Owner | undefined {
  if (!isRoot()) return undefined;
  return statSync(dataDirectory, { throwIfNoEntry: false }) ?? serviceUser();
}

function configurationPlaced(file: string, wasThere: boolean, { configuration }: Restored): string[] {
  if (!wasThere) {
    mkdirSync(dirname(file), { recursive: true });
    placeConfiguration(file, configuration);
    return [
      `The configuration is in ${file}. Files that it names (TLS, tokens, secrets) are not in a backup.`,
    ];
  }
  if (readFileSync(file, "utf8") === configuration) return [];
  const other = `${file}.of-backup`;
  if (existsSync(other)) return [`${file} stays; the backup has another.`];
  writeFileSync(other, configuration, { mode: 0o600, flag: "wx" });
  return [`${file} stays; that of the backup differs, and is in ${other}.`];
}

function next(file: string, { checkpoint, head }: Restored): string[] {
  const renew = `  ${PROGRAM_NAME} renew-audit-log --config ${file} --reason "restored from the backup of ${head.createdAt.slice(0, 10)}"`;
  const revoked =
    "What came after the backup is not in it: make those revocations again. Hosts hold on to newer bundles and revocations that they know, and get a bundle with a higher version.";
  switch (checkpoint) {
    case "of-the-backup":
      return ["The audit log goes on. Start the control plane: systemctl start sallyport-control-plane"];
    case "of-the-old-data":
      return [
        "Start the control plane: if more was signed here than the backup has, it refuses, and says so. Then begin a new audit log:",
        renew,
        revoked,
      ];
    case "none":
      return [
        "Before the start, begin a new audit log; clients and auditors may have seen more of the old one than the backup has:",
        renew,
        revoked,
      ];
  }
}
