import { SallyportError } from "@sallyport/core/errors.ts";
import { type Checkpoint, openCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { GrowingTree } from "@sallyport/core/transparency/growing-tree.ts";
import { leafHash, sameHash } from "@sallyport/core/transparency/hashing.ts";
import { type ExportHeader, parseHeader, parseLeaf } from "@sallyport/core/transparency/log-export.ts";
import { parseVerifierKey } from "@sallyport/core/transparency/signed-note.ts";

/** What was found to hold. */
export interface VerifiedLog {
  origin: string;
  /** The first entry that was there to be looked at, and how many the log has. */
  from: number;
  size: number;
  root: Uint8Array;
  /** The key that signed, and the earlier checkpoint that the log goes on from. */
  key: string;
  since: Checkpoint | undefined;
}

/**
 * Verifies the lines of an export, reading each once: every entry is what its hash says, none is missing, together they
 * have the root that was signed, and the log goes on from the checkpoint `since` if one is given. Without `key` the one
 * in the export is believed. Codes `log-malformed`, `log-bad-signature`, and `log-inconsistent`, which names the first
 * entry that disagrees.
 */
export async function verifyLog(
  lines: AsyncIterable<string> | Iterable<string>,
  trusted: { key: string | undefined; since: string | undefined },
): Promise<VerifiedLog> {
  let walk: Walk | undefined;
  for await (const line of lines) {
    if (walk === undefined) walk = new Walk(parseHeader(line), trusted);
    else walk.take(line);
  }
  if (walk === undefined) throw malformed("This is no export of an audit log: it is empty.");
  return walk.finish();
}

/** One pass over the entries. */
class Walk {
  readonly #header: ExportHeader;
  readonly #key: string;
  readonly #signed: Checkpoint;
  readonly #since: Checkpoint | undefined;
  readonly #tree: GrowingTree;

  constructor(header: ExportHeader, trusted: { key: string | undefined; since: string | undefined }) {
    this.#header = header;
    this.#key = trusted.key ?? header.key;
    const verifier = parseVerifierKey(this.#key);
    this.#signed = openCheckpoint(header.checkpoint, verifier);
    this.#since = trusted.since === undefined ? undefined : openCheckpoint(trusted.since, verifier);
    this.#checkSince();
    this.#tree = begin(header, this.#signed);
    this.#compareWithSince();
  }

  take(line: string): void {
    const index = this.#tree.size;
    if (index === this.#signed.size)
      throw inconsistent(`Entry ${index} was added: ${index} entries were signed.`);
    const entry = parseLeaf(line);
    if (entry === undefined)
      throw inconsistent(`Entry ${index} is damaged: its line is not that of an entry.`);
    if (entry.index !== index)
      throw inconsistent(`Entry ${index} is missing: number ${entry.index} stands in its place.`);
    if (!sameHash(leafHash(entry.leaf), entry.hash))
      throw inconsistent(`Entry ${index} was changed: it does not have the hash that the log has for it.`);
    this.#tree.append(entry.hash);
    this.#compareWithSince();
  }

  finish(): VerifiedLog {
    const { origin, size, root } = this.#signed;
    const { from } = this.#header;
    if (this.#tree.size < size)
      throw inconsistent(
        `Entry ${this.#tree.size} is missing: the end was cut off, ${size} entries were signed.`,
      );
    if (!sameHash(this.#tree.root(), root)) {
      const good = Math.max(from, this.#since?.size ?? 0);
      throw inconsistent(
        `The entries are not those that were signed: one from number ${good} on was changed together with its hash.`,
      );
    }
    return { origin, from, size, root, key: this.#key, since: this.#since };
  }

  #checkSince(): void {
    const since = this.#since;
    if (since === undefined) return;
    if (since.size > this.#signed.size)
      throw inconsistent(
        `The log has become shorter: ${since.size} entries were signed earlier, now ${this.#signed.size}.`,
      );
    if (since.size < this.#header.from)
      throw new SallyportError(
        "usage",
        `The export begins after the earlier checkpoint; export with --from ${since.size} or less.`,
      );
  }

  #compareWithSince(): void {
    if (this.#since?.size === this.#tree.size && !sameHash(this.#tree.root(), this.#since.root))
      throw inconsistent(
        `The history was changed: the first ${this.#since.size} entries are not those of the earlier checkpoint.`,
      );
  }
}

function begin({ from, frontier }: ExportHeader, { size }: Checkpoint): GrowingTree {
  if (from > size) throw malformed(`The export begins at entry ${from}, but ${size} entries were signed.`);
  try {
    return new GrowingTree(from, frontier);
  } catch (cause) {
    throw new SallyportError("log-malformed", "The export's frontier does not fit where it begins.", {
      cause,
    });
  }
}

function malformed(message: string): SallyportError {
  return new SallyportError("log-malformed", message);
}

function inconsistent(message: string): SallyportError {
  return new SallyportError("log-inconsistent", message);
}
