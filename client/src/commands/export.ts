import { SallyportError } from "@sallyport/core/errors.ts";
import { recordingFrames } from "@sallyport/core/recording/chain.ts";
import { EXPORT_FORMATS, type ExportFormat, exportRecording } from "@sallyport/core/recording/export.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { type Command, Option } from "commander";
import type { Context } from "../context.ts";
import { isoTime, json } from "../output/json.ts";
import { fetchRecording } from "../recordings/fetch-recording.ts";
import { writeOut } from "../recordings/write-out.ts";
import { examples, signedInApi } from "./command.ts";

/** Formats of the recording, and its host's account of what happened besides. */
const FORMATS = [...EXPORT_FORMATS, "events"] as const;
type Format = ExportFormat | "events";

/** `sallyport export` */
export function registerExport(program: Command, context: Context): void {
  program
    .command("export")
    .summary("write a recording in another format")
    .description(
      "Write a recording as asciicast, as plain text, or as the very bytes that the terminal got; or, as JSON, what its host told of the session besides: refusals, forwarded connections, its end by the policy. In asciicast these are markers.",
    )
    .argument("<id>", "the session")
    .addOption(new Option("--format <format>", "the format").choices(FORMATS).makeOptionMandatory())
    .option("--output <file>", "write to this file instead of standard output")
    .addHelpText(
      "after",
      examples(
        "sallyport export ses_… --format asciicast-v2 --output login.cast",
        "sallyport export ses_… --format text | less",
      ),
    )
    .action((id: string, options: { format: Format; output?: string }) =>
      exportSession(context, id, options),
    );
}

async function exportSession(
  context: Context,
  id: string,
  options: { format: Format; output?: string },
): Promise<void> {
  const { api } = signedInApi(context);
  if (options.format === "events") {
    const events = (await api.sessionEvents(id)).map((each) => ({ ...each, at: isoTime(each.at) }));
    return writeOut(context, options.output, [Buffer.from(json(events))]);
  }
  const { bytes } = await fetchRecording(api, id, context);
  if (bytes.length === 0) throw new SallyportError("not-found", "Nothing of this recording has arrived yet.");
  // Asked for only where they are shown: each time it is an entry of the audit log.
  const events = options.format.startsWith("asciicast") ? await api.sessionEvents(id) : [];
  const markers = events.map(({ at, type, code, detail }) => ({
    at: at * 1000,
    label: printable([type, code, detail].filter((part) => part !== null && part !== "").join(": "), 300),
  }));
  writeOut(context, options.output, exportRecording(recordingFrames(bytes), options.format, markers));
}
