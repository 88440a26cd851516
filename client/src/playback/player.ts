import { type Frame, FrameKind } from "@sallyport/core/recording/frame.ts";
import type { Output } from "../context.ts";
import { TerminalFilter } from "./terminal-filter.ts";

/** How to replay. */
export interface PlayOptions {
  /** 2 is twice as fast as it was. */
  speed: number;
  /** Longest pause in seconds, before `speed`. */
  idleLimit: number | undefined;
  /** Waits so many milliseconds; undefined replays without waiting. */
  wait: ((milliseconds: number) => Promise<void>) | undefined;
}

const MICROSECONDS = 1e6;
/** Shorter pauses are not worth a timer. */
const SHORTEST_WAIT_MS = 1;

/** Writes what the recorded terminal got, in its own time, without what would make this terminal answer or act. */
export async function replay(frames: Iterable<Frame>, output: Output, options: PlayOptions): Promise<void> {
  const filter = new TerminalFilter();
  let previous = 0;
  let due = 0;
  for (const frame of frames) {
    const pause = Math.max(0, frame.time - previous) / MICROSECONDS;
    previous = Math.max(previous, frame.time);
    due += (Math.min(pause, options.idleLimit ?? pause) * 1000) / options.speed;
    if (!isShown(frame.kind)) continue;
    if (options.wait !== undefined && due >= SHORTEST_WAIT_MS) {
      await options.wait(due);
      due = 0;
    }
    output.write(filter.feed(frame.data));
  }
  output.write(filter.end());
}

function isShown(kind: number): boolean {
  return kind === FrameKind.output || kind === FrameKind.error || kind === FrameKind.message;
}

/**
 * Puts a terminal back into order after a replay that may have stopped anywhere: ends a started sequence, leaves the
 * alternate screen, shows the cursor, ends colours, bracketed paste and application keys.
 */
export const TERMINAL_RESET =
  "\u0018\u001b[?1049l\u001b[?25h\u001b[0m\u001b[?2004l\u001b[?1l\u001b>\u001b(B\u000f";
