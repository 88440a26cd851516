import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { SessionId } from "@sallyport/core/names.ts";
import { type Block, NO_HASH, sealBlock } from "@sallyport/core/recording/block.ts";
import {
  type EndRecord,
  encodeFrame,
  type Frame,
  FrameKind,
  type StartRecord,
} from "@sallyport/core/recording/frame.ts";

export const hostKeys: { privateKey: KeyObject; publicKey: KeyObject } = generateKeyPairSync("ed25519");
export const SESSION: SessionId = SessionId.parse(`ses_${"0".repeat(25)}1`);

export const START: StartRecord = {
  v: 1,
  session: SESSION,
  host: { id: `hst_${"0".repeat(26)}`, name: "db-1" },
  account: "deploy",
  member: { id: `mem_${"0".repeat(26)}`, name: "Alice", issuer: "https://idp.example", subject: "alice" },
  engagement: { id: `eng_${"0".repeat(26)}`, name: "acme-db" },
  login: { certificateSerial: "42", keyFingerprint: "SHA256:key", sourceAddress: "192.0.2.7", mfa: "mfa" },
  kind: "pty",
  command: null,
  terminal: { term: "xterm-256color", columns: 100, rows: 30 },
  startedAt: 1_760_436_000_500,
};

const END: EndRecord = {
  v: 1,
  exitStatus: 3,
  signal: null,
  reason: "exited",
  detail: "",
  endedAt: 1_760_436_009_500,
};

export function frame(kind: number, time: number, data: string | Uint8Array): Frame {
  return { kind, time, data: typeof data === "string" ? Buffer.from(data) : data };
}
export const startFrame = (changes: Partial<StartRecord> = {}): Frame =>
  frame(FrameKind.start, 0, JSON.stringify({ ...START, ...changes }));
export const endFrame = (time: number, changes: Partial<EndRecord> = {}): Frame =>
  frame(FrameKind.end, time, JSON.stringify({ ...END, ...changes }));
export const output = (time: number, data: string | Uint8Array): Frame => frame(FrameKind.output, time, data);

export function encodeFrames(frames: readonly Frame[]): Uint8Array {
  return Buffer.concat(frames.map(encodeFrame));
}

export interface SealOptions {
  session?: SessionId;
  key?: KeyObject;
  /** The last block is marked as the last one; on by default. */
  closed?: boolean;
}

/** Blocks that form a chain, one for each list of frames. */
export function sealAll(contents: readonly (readonly Frame[])[], options: SealOptions = {}): Block[] {
  let previousHash = NO_HASH;
  return contents.map((frames, sequence) => {
    const last = (options.closed ?? true) && sequence === contents.length - 1;
    const input = { sequence, last, frameCount: frames.length, raw: encodeFrames(frames), previousHash };
    const block = sealBlock(
      { session: options.session ?? SESSION, ...input },
      options.key ?? hostKeys.privateKey,
    );
    previousHash = block.hash;
    return block;
  });
}

export function join(blocks: readonly Block[]): Uint8Array {
  return Buffer.concat(blocks.map((block) => block.bytes));
}

/** A small recording of four blocks. */
export const CONTENTS: Frame[][] = [
  [startFrame()],
  [output(1000, "$ "), frame(FrameKind.input, 2000, "ls\r"), output(3000, "a b\r\n")],
  [frame(FrameKind.resize, 4000, Buffer.of(0x84, 0x01, 43)), output(5000, "$ ")],
  [output(6000, "logout\r\n"), endFrame(7000)],
];
