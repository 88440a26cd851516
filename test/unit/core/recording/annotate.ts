import { fileURLToPath } from "node:url";
import { ed25519FromSeed } from "../ssh/keys.ts";
import { endFrame, output, SESSION, sealAll, startFrame } from "./recordings.ts";

/** The fields of a block, in order: name and length; payload and signature come after them. */
const HEAD: [name: string, length: number][] = [
  ['magic "SPB1"', 4],
  ["session id", 30],
  ["sequence", 4],
  ["flags: 1, the last block", 1],
  ["frames", 4],
  ["raw length", 4],
  ["payload length", 4],
  ["hash of the block before: none", 32],
];

/** A block as docs/formats/recording.md shows one: offset, bytes, and what they are. */
export function annotate(block: Uint8Array): string {
  const lines: string[] = [];
  let at = 0;
  const field = (name: string, length: number): void => {
    for (let from = 0; from < length; from += 16) {
      const bytes = Buffer.from(block.subarray(at + from, at + Math.min(from + 16, length)));
      const hex = (bytes.toString("hex").match(/../g) ?? []).join(" ");
      const offset = (at + from).toString(16).padStart(4, "0");
      lines.push(`${offset}  ${hex.padEnd(47)}  ${from === 0 ? name : ""}`.trimEnd());
    }
    at += length;
  };
  for (const [name, length] of HEAD) field(name, length);
  field("payload, zstd", block.length - at - 64);
  field("signature, Ed25519", 64);
  return lines.join("\n");
}

/** The bytes of an annotated block. */
export function bytesOf(annotated: string): Uint8Array {
  return Buffer.from(annotated.replace(/^([0-9a-f]{4}) {2}(.{0,47}).*$/gm, "$2").replace(/\s/g, ""), "hex");
}

/** The key of the example: of the secret 000102…1f. */
export const EXAMPLE_KEY = ed25519FromSeed(Uint8Array.from({ length: 32 }, (_, index) => index));
export const EXAMPLE_FRAMES = [
  startFrame({ kind: "command", command: "echo hi", terminal: null }),
  output(1234, "hi\n"),
  endFrame(5678, { exitStatus: 0 }),
];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [block] = sealAll([EXAMPLE_FRAMES], { session: SESSION, key: EXAMPLE_KEY.privateKey });
  if (block !== undefined) process.stdout.write(`${annotate(block.bytes)}\n`);
}
