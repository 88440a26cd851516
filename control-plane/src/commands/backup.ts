import type { Command } from "commander";
import { makeBackup } from "../backup/make-backup.ts";
import { formatBytes } from "../backup/progress.ts";
import { loadConfiguration } from "../config/load-configuration.ts";
import { addCommand, type CommandContext, examples } from "./command.ts";

interface Options {
  config: string;
  out: string;
  withoutRecordings?: boolean;
}

/** `backup` */
export function registerBackup(program: Command, context: CommandContext): void {
  addCommand(program, "backup")
    .summary("back up keys, database, configuration and recordings")
    .description(
      "Writes keys, database, configuration and the recordings in the data directory into one tar file of mode 0600, each with its SHA-256. The control plane may be running. Keys are in it as they are: whoever reads the file can sign certificates, unless they are encrypted. Not in it: a PostgreSQL database (use pg_dump), recordings in a bucket, and files that the configuration names, but for the policy file.",
    )
    .requiredOption("--out <file>", "the file to write; it may not be there yet")
    .option("--without-recordings", "leave the recordings out; a restore then has none")
    .addHelpText(
      "after",
      examples(
        "backup --out /var/backups/sallyport-2026-11-02.tar",
        "backup --out keys.tar --without-recordings",
      ),
    )
    .action((options: Options) => backup(context, options));
}

async function backup(
  { environment, databaseUrl, variables, stderr }: CommandContext,
  { config: configFile, out, withoutRecordings = false }: Options,
): Promise<void> {
  const config = loadConfiguration(configFile);
  const isSqlite = databaseUrl === undefined;
  const withRecordings = !withoutRecordings;
  const { clock } = environment;
  const made = await makeBackup({ config, configFile, out, isSqlite, withRecordings, clock, stderr });
  stderr.write(
    `${out}: ${made.files} files, ${formatBytes(made.bytes)}. Whoever reads it can do what the keys can.\n`,
  );
  if (made.lost.count > 0)
    stderr.write(
      `Recordings that the database has and the data directory has not, or not whole: ${made.lost.count}, as that of ${made.lost.first}. They were lost before; an older backup may have them.\n`,
    );
  if (!isSqlite)
    stderr.write(
      "The PostgreSQL database is not in it: back it up with pg_dump, after this, and keep both together.\n",
    );
  if (withRecordings && variables.SALLYPORT_OBJECTS)
    stderr.write("Recordings in the bucket are not in it: use what the object store has for backups.\n");
}
