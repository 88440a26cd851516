import { setTimeout as wait } from "node:timers/promises";
import { SallyportError } from "@sallyport/core/errors.ts";
import { recordingFrames } from "@sallyport/core/recording/chain.ts";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { replay, TERMINAL_RESET } from "../playback/player.ts";
import { fetchRecording } from "../recordings/fetch-recording.ts";
import { examples, numberOption, signedInApi } from "./command.ts";

interface PlayOptions {
  speed: number;
  idleLimit?: number;
}

/** `sallyport play` */
export function registerPlay(program: Command, context: Context): void {
  program
    .command("play")
    .summary("replay a recording in this terminal")
    .description(
      "Replay a recording in this terminal, in its own time; into a file or a pipe at once. What would make a terminal answer or act (clipboard, queries, mouse) is left out; export --format raw has every byte.",
    )
    .argument("<id>", "the session")
    .option("--speed <factor>", "2 is twice as fast", numberOption("--speed", 0.01), 1)
    .option("--idle-limit <seconds>", "shorten longer pauses to this", numberOption("--idle-limit", 0))
    .addHelpText("after", examples("sallyport play ses_…", "sallyport play ses_… --speed 4 --idle-limit 2"))
    .action((id: string, options: PlayOptions) => play(context, id, options));
}

async function play(context: Context, id: string, options: PlayOptions): Promise<void> {
  const { api } = signedInApi(context);
  const { bytes } = await fetchRecording(api, id, context);
  if (bytes.length === 0) throw new SallyportError("not-found", "Nothing of this recording has arrived yet.");
  const frames = recordingFrames(bytes);
  const timing = { speed: options.speed, idleLimit: options.idleLimit };
  if (!context.stdout.isTTY) return await replay(frames, context.stdout, { ...timing, wait: undefined });
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt);
  try {
    await replay(frames, context.stdout, {
      ...timing,
      wait: (milliseconds) => wait(milliseconds, undefined, { signal: interrupted.signal }),
    });
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    process.off("SIGINT", interrupt);
    context.stdout.write(TERMINAL_RESET);
  }
}
