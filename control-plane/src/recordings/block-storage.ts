/** The recording that bytes are of, as its owner and its id name it. */
export interface RecordingName {
  hostId: string;
  session: string;
}

/** Blocks of one recording that come together. */
export interface Append extends RecordingName {
  /** Bytes of it that are stored and committed. */
  length: number;
  /** Sequence of the first block. */
  firstSequence: number;
  /** Whole blocks, as they are to be read back. */
  blocks: readonly Uint8Array[];
}

/** Where a storage put a part of a recording, for the database to remember. */
export interface StoredPart {
  start: number;
  length: number;
  firstSequence: number;
  name: string;
}

/**
 * Where the bytes of recordings are kept. What counts is what the database says, and it says so only after `append` has
 * resolved: whatever else is there is from a crash, or from a replica that came second, and is never read.
 */
export interface BlockStorage {
  /**
   * Stores blocks behind the first `length` bytes, and returns when they are durable: where, if the database has to
   * remember. Code `recording-malformed` when what is stored is shorter than `length`; any other error is the storage's own
   * trouble, and the same may be tried again.
   */
  append(blocks: Append): Promise<readonly StoredPart[]>;
  /** Bytes `from` to `to` (exclusive) of a recording, in pieces. Code `recording-malformed` where some are missing. */
  read(recording: RecordingName, from: number, to: number): AsyncIterable<Uint8Array>;
  /** A block to begin from when looking for `sequence` among the first `length` bytes: that one, or one before it. */
  nearest(
    recording: RecordingName,
    sequence: number,
    length: number,
  ): Promise<{ sequence: number; start: number }>;
  /** Makes a recording that is complete quick to read; for a storage where it is not from the beginning. */
  tidy?(recording: RecordingName): Promise<void>;
  /** Removes every byte of a recording; done when there is none. */
  remove(recording: RecordingName): Promise<void>;
}

/** Pieces of at most `limit` blocks' bytes, so that no single write grows with what happened to come together. */
export function inPortions<T extends Uint8Array>(blocks: readonly T[], limit: number): T[][] {
  const portions: T[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const block of blocks) {
    if (size + block.length > limit) {
      portions.push([]);
      size = 0;
    }
    portions.at(-1)?.push(block);
    size += block.length;
  }
  return portions;
}
