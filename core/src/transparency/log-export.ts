import { z } from "zod";
import { SallyportError } from "../errors.ts";
import { HASH_LENGTH } from "./hashing.ts";
import { fromBase64 } from "./signed-note.ts";

/*
 * An exported log: JSON lines, first a header with what was signed, then one line for each leaf, in order. The leaf's data
 * stands in its line as it is hashed, byte for byte.
 */

/** Longest line that is read, in characters. */
export const MAX_LINE = 4 * 1024 * 1024;

const Hash = z.string().transform((text, context) => {
  const bytes = fromBase64(text);
  if (bytes?.length === HASH_LENGTH) return bytes;
  context.addIssue({ code: "custom", message: "not a SHA-256 hash" });
  return z.NEVER;
});

/** The first line. */
const Header = z.strictObject({
  v: z.literal(1),
  type: z.literal("sallyport-audit-log"),
  /** The first leaf that follows. */
  from: z.int().min(0),
  /** The hashes of the complete subtrees over the leaves before it, left to right. */
  frontier: z.array(Hash).max(64),
  /** The signed checkpoint: leaves follow up to its size. */
  checkpoint: z.string(),
  /** The log's verifier key, as whoever exported it was told. */
  key: z.string(),
});
export type ExportHeader = z.infer<typeof Header>;

/** A line of an export. */
export interface ExportedLeaf {
  index: number;
  /** As the log has it; whether it is the data's is for the verifier to see. */
  hash: Uint8Array;
  /** The data as it is hashed. */
  leaf: string;
}

const LEAF_LINE = /^\{"hash":"([A-Za-z0-9+/]{43}=)","index":(0|[1-9][0-9]{0,15}),"leaf":(\{.*\})\}$/su;

/** Writes the first line, without a line end. */
export function formatHeader(header: Omit<ExportHeader, "v" | "type">): string {
  const frontier = header.frontier.map((hash) => Buffer.from(hash).toString("base64"));
  return JSON.stringify({ v: 1, type: "sallyport-audit-log", ...header, frontier });
}

/** Reads the first line. Code `log-malformed`. */
export function parseHeader(line: string): ExportHeader {
  try {
    return Header.parse(JSON.parse(line));
  } catch (cause) {
    throw new SallyportError("log-malformed", "This is no export of an audit log: its first line is not.", {
      cause,
    });
  }
}

/** Writes the line of a leaf, without a line end. `hash` is base64. */
export function formatLeaf(index: number, hash: string, leaf: string): string {
  return `{"hash":"${hash}","index":${index},"leaf":${leaf}}`;
}

/** Reads the line of a leaf; undefined when it is none. */
export function parseLeaf(line: string): ExportedLeaf | undefined {
  const [, hash = "", index = "", leaf = ""] = LEAF_LINE.exec(line) ?? [];
  const bytes = fromBase64(hash);
  return bytes === undefined ? undefined : { index: Number(index), hash: bytes, leaf };
}
