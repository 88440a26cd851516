import { SallyportError } from "@sallyport/core/errors.ts";
import { recordingFrames } from "@sallyport/core/recording/chain.ts";
import { EXPORT_FORMATS, type ExportFormat, exportRecording } from "@sallyport/core/recording/export.ts";
import { type Command, Option } from "commander";
import type { Context } from "../context.ts";
import { fetchRecording } from "../recordings/fetch-recording.ts";
import { writeOut } from "../recordings/write-out.ts";
import { examples, signedInApi } from "./command.ts";

/** `sallyport export` */
export function registerExport(program: Command, context: Context): void {
  program
    .command("export")
    .summary("write a recording in another format")
    .description("Write a recording as asciicast, as plain text, or as the very bytes that the terminal got.")
    .argument("<id>", "the session")
    .addOption(new Option("--format <format>", "the format").choices(EXPORT_FORMATS).makeOptionMandatory())
    .option("--output <file>", "write to this file instead of standard output")
    .addHelpText(
      "after",
      examples(
        "sallyport export ses_… --format asciicast-v2 --output login.cast",
        "sallyport export ses_… --format text | less",
      ),
    )
    .action((id: string, options: { format: ExportFormat; output?: string }) =>
      exportSession(context, id, options),
    );
}

async function exportSession(
  context: Context,
  id: string,
  options: { format: ExportFormat; output?: string },
): Promise<void> {
  const { api } = signedInApi(context);
  const { bytes } = await fetchRecording(api, id, context);
  if (bytes.length === 0) throw new SallyportError("not-found", "Nothing of this recording has arrived yet.");
  writeOut(context, options.output, exportRecording(recordingFrames(bytes), options.format));
}
