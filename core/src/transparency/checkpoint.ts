import type { KeyObject } from "node:crypto";
import { SallyportError } from "../errors.ts";
import type { Signer } from "../ssh/signer.ts";
import { HASH_LENGTH } from "./hashing.ts";
import { fromBase64, openNote, signNote, signNoteWith, type VerifierKey } from "./signed-note.ts";

/** The head of a log's tree (c2sp.org/tlog-checkpoint). */
export interface Checkpoint {
  /** Which log this is; also the name of the key that signs. */
  origin: string;
  /** Leaves in the tree. */
  size: number;
  root: Uint8Array;
  /** Further lines, which nobody audits; ours has none. */
  extensions: readonly string[];
}

/** Writes and signs a checkpoint. What no checkpoint can hold is a `TypeError`. */
export function signCheckpoint(checkpoint: Checkpoint, privateKey: KeyObject): string {
  return signNote(checkpointText(checkpoint), checkpoint.origin, privateKey);
}

/** The same with a key that may be elsewhere. Rejects as the signer does, too. */
export async function signCheckpointWith(checkpoint: Checkpoint, signer: Signer): Promise<string> {
  return signNoteWith(checkpointText(checkpoint), checkpoint.origin, signer);
}

function checkpointText({ origin, size, root, extensions }: Checkpoint): string {
  const lines = [origin, String(size), Buffer.from(root).toString("base64"), ...extensions];
  if (lines.some((line) => line === "" || line.includes("\n")) || !Number.isSafeInteger(size) || size < 0)
    throw new TypeError("this is no checkpoint");
  return `${lines.join("\n")}\n`;
}

/**
 * The checkpoint in a note that the log's key signed. Codes `log-bad-signature`, and `log-malformed`, also for a
 * checkpoint of another log than the one that the key is named after.
 */
export function openCheckpoint(note: string, verifier: VerifierKey): Checkpoint {
  const checkpoint = parseCheckpoint(openNote(note, verifier));
  if (checkpoint.origin !== verifier.name)
    throw malformed(`The checkpoint is of the log ${checkpoint.origin}, not of ${verifier.name}.`);
  return checkpoint;
}

/** Reads a checkpoint's text, signed or not: check the signature before believing it. Code `log-malformed`. */
export function parseCheckpoint(text: string): Checkpoint {
  const end = text.indexOf("\n\n");
  const lines = (end < 0 ? text : text.slice(0, end + 1)).split("\n");
  const [origin = "", size = "", encoded = "", ...extensions] = lines.slice(0, -1);
  const root = fromBase64(encoded);
  const isText = lines.at(-1) === "" && origin !== "" && extensions.every((line) => line !== "");
  if (!isText || !/^(0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)))
    throw malformed("This is no checkpoint: it has not the lines of one.");
  if (root?.length !== HASH_LENGTH) throw malformed("The checkpoint's root is no SHA-256 hash.");
  return { origin, size: Number(size), root, extensions };
}

function malformed(message: string): SallyportError {
  return new SallyportError("log-malformed", message);
}
