import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SessionId } from "@sallyport/core/names.ts";
import { type Block, sealBlock } from "@sallyport/core/recording/block.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE } from "@sallyport/uplink/spool/layout.ts";
import { Uploader } from "@sallyport/uplink/upload/uploader.ts";
import { TestHost } from "../link/host.ts";
import { encoded, sealedBlocks } from "../spool/left-behind.ts";
import { END, hostKeys, newSession } from "../spool/spool.ts";

/** A recording in a spool. */
export interface Recording {
  session: SessionId;
  directory: string;
  blocks: Block[];
}

/** Puts a recording of so many blocks into the spool, the last one with its end; `noise` is bytes in each block. */
export function makeRecording(spool: string, count: number, options: { noise?: number } = {}): Recording {
  const session = newSession();
  const blocks = sealedBlocks(session, count - 1, options.noise);
  blocks.push(lastBlock(session, blocks));
  const directory = join(spool, session);
  mkdirSync(directory);
  writeFileSync(join(directory, BLOCKS_FILE), Buffer.concat(blocks.map((block) => block.bytes)));
  return { session, directory, blocks };
}

function lastBlock(session: SessionId, before: Block[]): Block {
  const raw = encoded({ kind: FrameKind.end, time: 1e6, data: Buffer.from(JSON.stringify(END)) });
  const previousHash = before.at(-1)?.hash ?? new Uint8Array(32);
  const content = { session, sequence: before.length, last: true, frameCount: 1, raw, previousHash };
  return sealBlock(content, hostKeys.privateKey);
}

/** A host whose link and uploader are put together as the agent does it. */
export class UploadingHost extends TestHost {
  readonly uploader: Uploader;
  readonly stored: SessionId[] = [];
  readonly refused: { recording: SessionId; reason: string }[] = [];
  readonly stuck: { recording: SessionId; error: unknown }[] = [];

  constructor(server: string, spool: string, rejected: string, kept: string | null = null) {
    super(server, {
      onMessage: (message) => {
        if (message.type === "recording-offset") {
          this.uploader.acknowledge(message.recording, message.nextSequence, message.complete);
        } else if (message.type === "recording-rejected") {
          this.uploader.reject(message.recording);
        } else if (message.type === "recording-later") {
          this.uploader.postpone(message.recording);
        }
        this.messages.push(message);
        this.emit("activity");
      },
      onConnected: () => {
        this.connected++;
        this.uploader.restart();
        this.emit("activity");
      },
    });
    const { link } = this;
    const sender = {
      get connected() {
        return link.connected;
      },
      get congested() {
        return link.congested;
      },
      query: (recording: SessionId) => link.send({ type: "recording-query", recording }),
      sendBlock: (block: Uint8Array, onFlushed: () => void) => link.sendBlock(block, onFlushed),
    };
    this.uploader = new Uploader({
      ...{ spool, rejected, kept, sender },
      onStored: (recording) => this.stored.push(recording),
      onRefused: (recording, reason) => this.refused.push({ recording, reason }),
      onStuck: (recording, error) => this.stuck.push({ recording, error }),
    });
  }

  /**
   * Lets everything under way come to rest: what the control plane is asked last it answers last. Twice, as its answer to
   * a recording's first question lets blocks go, which have to be answered too.
   */
  async settle(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const recording = newSession();
      const answered = () =>
        this.messages.some((one) => one.type === "recording-offset" && one.recording === recording);
      this.link.send({ type: "recording-query", recording });
      await this.until(answered);
    }
  }

  close(): void {
    this.uploader.close();
    this.link.close();
  }
}
