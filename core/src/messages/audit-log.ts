import { z } from "zod";
import { HASH_LENGTH } from "../transparency/hashing.ts";

/*
 * What the API says of the audit log beside text: checkpoints are signed notes, entries are lines of
 * `transparency/log-export.ts`.
 */

const MAX_SIZE = Number.MAX_SAFE_INTEGER;
const MAX_HASHES = 128;

/** A hash in base64, as bytes. */
const Hash = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/)
  .transform((text) => new Uint8Array(Buffer.from(text, "base64")))
  .refine((bytes) => bytes.length === HASH_LENGTH);
const Hashes = z.array(Hash).max(MAX_HASHES);

/** Number of leaves, or of one of them. */
export const TreeSize = z.int().min(0).max(MAX_SIZE);

/** `GET /audit/frontier`: the hashes of the complete subtrees of the tree with `size` leaves, left to right. */
export const FrontierResponse = z.object({ size: TreeSize, hashes: Hashes });

/** `GET /audit/consistency`: proves that the tree of `to` leaves begins with that of `from`. */
export const ConsistencyResponse = z.object({ from: TreeSize, to: TreeSize, proof: Hashes });

/** `GET /audit/inclusion`: proves that leaf `index` is in the tree of `size` leaves. */
export const InclusionResponse = z.object({ index: TreeSize, size: TreeSize, proof: Hashes });

/** `GET /sessions/:id/inclusion`: proves that the end of a recording is in the audit log. */
export const LoggedRecording = z.object({
  /** The leaf's data, as it is hashed. */
  leaf: z.string().max(65_536),
  index: TreeSize,
  proof: Hashes,
  /** A signed checkpoint of the tree that the proof is for. */
  checkpoint: z.string().max(65_536),
  /** The log's verifier key, as the control plane has it. */
  key: z.string().max(1000),
});
export type LoggedRecording = z.infer<typeof LoggedRecording>;
