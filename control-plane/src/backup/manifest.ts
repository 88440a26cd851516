import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { SallyportError } from "@sallyport/core/errors.ts";
import { z } from "zod";

/*
 * The list of what a backup holds: JSON, one object a line, so that it is written and read without holding it whole. First the
 * head, then a line per file, last how many there were and the SHA-256 of all lines before. It tells of damage; it is not signed.
 */

/** Name of the manifest in a backup. */
export const MANIFEST = "manifest.jsonl";

const MAX_LINE = 16 * 1024;

/** What a backup is of. */
export const BackupHead = z.strictObject({
  format: z.literal("sallyport-backup"),
  version: z.literal(1),
  /** ISO 8601. */
  createdAt: z.iso.datetime(),
  /** `url` of the configuration. */
  url: z.string().max(2000),
  database: z.enum(["sqlite", "postgresql"]),
  recordings: z.enum(["included", "left-out"]),
  /** The newest checkpoint of the audit log that the database has, as a signed note. */
  checkpoint: z.string().max(4096).nullable(),
});
export type BackupHead = z.infer<typeof BackupHead>;

/** One file. Of a recording that grows, the first `size` bytes count. */
const BackupFile = z.strictObject({
  path: z
    .string()
    .max(300)
    .regex(
      /^(configuration\.yaml|policy\.yaml|sallyport\.db|keys\/[\w-][\w.-]*|recordings\/\w[\w-]*\/\w[\w-]*\.spr)$/,
    ),
  size: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BackupFile = z.infer<typeof BackupFile>;

const BackupEnd = z.strictObject({ files: z.int().min(0), sha256: z.string() });

/** Writes a manifest line by line. */
export class ManifestWriter {
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  #files = 0;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Begins the manifest `file`, which may not be there. */
  static async begin(file: string, head: BackupHead): Promise<ManifestWriter> {
    const writer = new ManifestWriter(await open(file, "wx", 0o600));
    await writer.#write(head);
    return writer;
  }

  /** Adds a file. */
  async add(file: BackupFile): Promise<void> {
    await this.#write(BackupFile.parse(file));
    this.#files++;
  }

  /** Writes the last line, and closes. */
  async end(): Promise<void> {
    await this.#handle.write(`${JSON.stringify({ files: this.#files, sha256: this.#hash.digest("hex") })}\n`);
    await this.#handle.close();
  }

  async #write(line: object): Promise<void> {
    const text = `${JSON.stringify(line)}\n`;
    this.#hash.update(text);
    await this.#handle.write(text);
  }
}

/**
 * Reads a manifest: the head, which comes at once, and the files, each as it is asked for. Code `message-malformed` when it is damaged
 * or cut off, which is known when the files are over.
 */
export async function readManifest(
  file: string,
): Promise<{ head: BackupHead; files: AsyncGenerator<BackupFile> }> {
  const stream = createReadStream(file, { encoding: "utf8" });
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })[
    Symbol.asyncIterator
  ]();
  const hash = createHash("sha256");
  const next = async (): Promise<{ value: unknown; text: string }> => {
    const { done, value: text = "" } = await lines.next();
    if (done === true || text.length > MAX_LINE) throw damaged("it ends too early");
    return { value: parsed(text), text };
  };
  const first = await next();
  const head = BackupHead.safeParse(first.value);
  if (!head.success) throw damaged("it is not one that this version reads");
  hash.update(`${first.text}\n`);
  const files = async function* (): AsyncGenerator<BackupFile> {
    for (let count = 0; ; count++) {
      const { value, text } = await next();
      const end = BackupEnd.safeParse(value);
      if (end.success) {
        if (end.data.files !== count || end.data.sha256 !== hash.digest("hex"))
          throw damaged("its lines are not those that were written");
        return;
      }
      const entry = BackupFile.safeParse(value);
      if (!entry.success) throw damaged("a line of it names no file of a backup");
      hash.update(`${text}\n`);
      yield entry.data;
    }
  };
  return { head: head.data, files: files() };
}

/** SHA-256 of the first `size` bytes of a file, in hexadecimal; undefined when it is shorter. `onBytes` hears how many were read. */
export async function hashFile(
  file: string,
  size: number,
  onBytes: (count: number) => void = () => {},
): Promise<string | undefined> {
  const hash = createHash("sha256");
  let left = size;
  if (size > 0) {
    for await (const chunk of createReadStream(file, { end: size - 1, highWaterMark: 256 * 1024 })) {
      hash.update(chunk);
      left -= chunk.length;
      onBytes(chunk.length);
    }
  }
  return left === 0 ? hash.digest("hex") : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged("a line of it is no JSON");
  }
}

function damaged(why: string): SallyportError {
  return new SallyportError(
    "message-malformed",
    `${MANIFEST} in the backup is damaged: ${why}. Nothing was changed; take another backup.`,
  );
}
