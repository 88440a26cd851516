import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";

/** Where a filter puts what it lets through, and what it has seen. */
export interface FilterOutputs {
  /** On to the program of the host (sftp-server, scp, rsync). The bytes are the filter's own, or valid until the call returns. */
  toServer(bytes: Uint8Array): void;
  /** On to the contractor. */
  toClient(bytes: Uint8Array): void;
  event(event: Extract<SessionEvent, { type: "file" }>): void;
  /** The stream is not what it should be: the session ends with this sentence. */
  broken(message: string): void;
}

/**
 * Stands in the stream between a contractor's program and the host's, follows every file, and lets nothing pass that the
 * grant does not allow. Chunks come as they were read, cut anywhere, and are valid until the call returns.
 */
export interface StreamFilter {
  fromClient(bytes: Buffer): void;
  fromServer(bytes: Buffer): void;
  /** Both sides have ended: files that were not closed are told as they are. */
  end(): void;
  /**
   * What the program of the host says on its standard error; returns what of it goes on to the contractor. Without this,
   * all of it does. rsync tells its files there (agent/src/files/rsync/).
   */
  fromServerError?(bytes: Buffer): Buffer;
  /** After {@link end}: resolves, within seconds, when the last event has been told; the recording is not ended before. */
  settled?(): Promise<void>;
}
