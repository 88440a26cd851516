import { SallyportError } from "@sallyport/core/errors.ts";
import { type Block, blockFrames } from "@sallyport/core/recording/block.ts";
import { endRecordOf, startRecordOf } from "@sallyport/core/recording/export.ts";
import {
  decodeFrames,
  type EndRecord,
  type Frame,
  type StartRecord,
} from "@sallyport/core/recording/frame.ts";

/** The start record in a recording's first block, which must name the host that sent it and the recording itself. */
export function startRecordIn(block: Block, host: { id: string; name: string }): StartRecord {
  const start = startRecordOf(framesOf(block)[0]);
  if (start.session !== block.session) {
    throw new SallyportError("recording-malformed", "The start record is of another session than its block.");
  }
  if (start.host.id !== host.id || start.host.name !== host.name) {
    throw new SallyportError(
      "recording-malformed",
      "The start record names another host than the one that sent it.",
    );
  }
  return start;
}

/** The end record in a recording's last block. */
export function endRecordIn(block: Block): EndRecord {
  return endRecordOf(framesOf(block).at(-1));
}

function framesOf(block: Block): Frame[] {
  const { frames } = decodeFrames(blockFrames(block));
  if (frames.length !== block.frameCount) {
    throw new SallyportError(
      "recording-malformed",
      `Block ${block.sequence} does not hold as many frames as it says.`,
    );
  }
  return frames;
}
