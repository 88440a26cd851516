import type { KeyObject } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import type { SessionId } from "@sallyport/core/names.ts";
import { MAX_BLOCK, NO_HASH, sealBlock } from "@sallyport/core/recording/block.ts";
import { syncData } from "./durable.ts";
import { BLOCKS_FILE } from "./layout.ts";
import type { OpenBlock } from "./open-block.ts";

const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 }, chunkSize: 64 * 1024 };
/** Blocks are made one at a time: all in the same memory. */
const memory = Buffer.allocUnsafeSlow(MAX_BLOCK);

/**
 * The file of a recording's sealed blocks, which only grows. Sealing is done at once: handing 64 KB to another thread and
 * back costs more than twice what compressing them does.
 */
export class SealedBlockFile {
  readonly #session: SessionId;
  readonly #hostKey: KeyObject;
  readonly #fd: number;
  #previousHash: Uint8Array = NO_HASH;

  constructor(directory: string, session: SessionId, hostKey: KeyObject) {
    this.#session = session;
    this.#hostKey = hostKey;
    this.#fd = openSync(join(directory, BLOCKS_FILE), "ax", 0o600);
  }

  /** Compresses, chains and signs a block and hands it to the kernel. Throws the disk's error. */
  append(block: OpenBlock, last: boolean): void {
    const raw = block.bytes;
    const { hash, bytes } = sealBlock(
      {
        session: this.#session,
        sequence: block.sequence,
        last,
        frameCount: block.frames,
        raw,
        compressed: zstdCompressSync(raw, COMPRESSION),
        previousHash: this.#previousHash,
        memory,
      },
      this.#hostKey,
    );
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    this.#previousHash = hash;
  }

  /** fdatasync(2), off the main thread. */
  sync(): Promise<void> {
    return syncData(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
