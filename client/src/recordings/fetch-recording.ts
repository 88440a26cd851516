import { printable } from "@sallyport/core/terminal-text.ts";
import type { ControlPlane, StoredRecording } from "../api/control-plane.ts";
import type { Context } from "../context.ts";

const STEP = 1024 * 1024;

/** Fetches a recording; a long one shows on a terminal how far it is. */
export async function fetchRecording(
  api: ControlPlane,
  id: string,
  context: Pick<Context, "stderr">,
): Promise<StoredRecording> {
  let shown = 0;
  const recording = await api.recording(id, (bytes) => {
    if (!context.stderr.isTTY || bytes - shown < STEP) return;
    shown = bytes;
    context.stderr.write(`\rFetching the recording: ${Math.floor(bytes / STEP)} MB`);
  });
  if (shown > 0) context.stderr.write("\r\u001b[K");
  if (recording.missing > 0)
    context.stderr.write(
      `sallyport: The stored recording is damaged, and ${recording.missing} bytes of it are missing; sallyport verify ${printable(id)} says where.\n`,
    );
  return recording;
}
