import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { LoggedRecording } from "@sallyport/core/messages/audit-log.ts";
import { openCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { leafHash } from "@sallyport/core/transparency/hashing.ts";
import { parseVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import { holdsInclusion } from "@sallyport/core/transparency/verify-proof.ts";
import { z } from "zod";
import type { ControlPlane } from "../api/control-plane.ts";

const RecordingComplete = z.object({
  type: z.literal("recording-complete"),
  data: z.object({ session: z.string(), blocks: z.int(), headHash: z.string() }),
});

/** Where in the audit log the end of a recording is. */
export interface LogEntry {
  origin: string;
  index: number;
  size: number;
  key: string;
}

/**
 * Fetches the proof that a recording's end is in the audit log, and verifies it against what was found in the recording
 * itself. Undefined where the control plane has no such proof. Codes `log-inconsistent`, `log-bad-signature`,
 * `log-malformed`.
 */
export async function findLogged(
  api: Pick<ControlPlane, "loggedRecording">,
  recording: { session: string; blocks: number; headHash: string },
): Promise<LogEntry | undefined> {
  let logged: LoggedRecording;
  try {
    logged = await api.loggedRecording(recording.session);
  } catch (error) {
    if (isSallyportError(error, "not-found")) return undefined;
    throw error;
  }
  const { leaf, index, proof, checkpoint, key } = logged;
  const tree = openCheckpoint(checkpoint, parseVerifierKey(key));
  if (!holdsInclusion({ index, hash: leafHash(leaf) }, proof, tree))
    throw inconsistent("The proof that this recording is in the audit log does not hold.");
  const { session, blocks, headHash } = parseLeaf(leaf);
  if (session !== recording.session || blocks !== recording.blocks || headHash !== recording.headHash)
    throw inconsistent(
      `The audit log has another recording: entry ${index} says that its last block is ${headHash}.`,
    );
  return { origin: tree.origin, index, size: tree.size, key };
}

function parseLeaf(leaf: string): z.infer<typeof RecordingComplete>["data"] {
  try {
    return RecordingComplete.parse(JSON.parse(leaf)).data;
  } catch (cause) {
    throw new SallyportError("log-malformed", "The entry of the audit log is not one of a recording.", {
      cause,
    });
  }
}

function inconsistent(message: string): SallyportError {
  return new SallyportError("log-inconsistent", message);
}
