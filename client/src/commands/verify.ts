import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { verifyRecording } from "@sallyport/core/recording/chain.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { findLogged, type LogEntry } from "../audit/logged-recording.ts";
import type { Context } from "../context.ts";
import { json } from "../output/json.ts";
import { fetchRecording } from "../recordings/fetch-recording.ts";
import { hostKeyFingerprint, parseHostKey } from "../recordings/host-key.ts";
import { examples, signedInApi } from "./command.ts";

interface VerifyOptions {
  file?: string;
  hostKey?: string;
  open?: boolean;
  json?: boolean;
}

/** `sallyport verify` */
export function registerVerify(program: Command, context: Context): void {
  program
    .command("verify")
    .summary("check that a recording is whole and unaltered")
    .description(
      "Check that every block of a recording is there, in order, unaltered and signed by its host. Exit status 7 and the name of the block when one is not.",
    )
    .argument("[id]", "the session; or --file")
    .option("--file <file>", "check a stored recording instead, offline; needs --host-key")
    .option(
      "--host-key <key>",
      "the host's key, as noted at enrolment; without it, the one that the control plane names",
    )
    .option("--open", "accept a recording that has not ended")
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      examples(
        "sallyport verify ses_…",
        "sallyport verify --file ses_….spr --host-key host.pub",
        "sallyport verify ses_… --open",
      ),
    )
    .action((id: string | undefined, options: VerifyOptions) => verify(context, id, options));
}

async function verify(context: Context, id: string | undefined, options: VerifyOptions): Promise<void> {
  const { bytes, hostKey } = await load(context, id, options);
  const key = parseHostKey(hostKey);
  const result = verifyRecording(bytes, key, { open: options.open ?? false });
  const signer = hostKeyFingerprint(key);
  const logged =
    id !== undefined && result.complete
      ? await findLogged(signedInApi(context).api, { ...result, session: id })
      : undefined;
  if (options.json)
    return void context.stdout.write(
      json({
        id: id ?? null,
        verified: true,
        ...result,
        bytes: bytes.length,
        hostKey: signer,
        logged: logged ?? null,
      }),
    );
  context.stdout.write(
    [
      `The recording holds: ${count(result.blocks, "block")}, ${count(result.frames, "frame")}, ${result.rawBytes} bytes${result.complete ? "" : ", not ended yet"}.`,
      `Signed by ${signer}${options.hostKey === undefined ? ", as the control plane says; compare it with the host's enrolment" : ""}.`,
      `Last block: ${result.headHash}`,
      ...(id !== undefined && result.complete ? [logLine(logged)] : []),
      "",
    ].join("\n"),
  );
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function logLine(logged: LogEntry | undefined): string {
  return logged === undefined
    ? "Audit log: the control plane does not show that this recording is in it."
    : `Audit log: entry ${logged.index} of ${logged.size} in ${printable(logged.origin)}.`;
}

async function load(
  context: Context,
  id: string | undefined,
  options: VerifyOptions,
): Promise<{ bytes: Uint8Array; hostKey: string }> {
  if ((id === undefined) === (options.file === undefined)) {
    throw new SallyportError("usage", "Name a session, or a file with --file and --host-key.");
  }
  if (options.file !== undefined) {
    if (options.hostKey === undefined)
      throw new SallyportError("usage", "A file needs the key of its host: --host-key KEY");
    return { bytes: readRecording(options.file), hostKey: options.hostKey };
  }
  const recording = await fetchRecording(signedInApi(context).api, id ?? "", context);
  const hostKey = options.hostKey ?? recording.hostKey;
  if (hostKey === null)
    throw new SallyportError(
      "message-malformed",
      "The control plane does not say whose recording this is; give --host-key.",
    );
  return { bytes: recording.bytes, hostKey };
}

function readRecording(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SallyportError("usage", `${file} cannot be read.`, { cause });
  }
}
