import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Signer } from "@sallyport/core/ssh/signer.ts";
import { type Checkpoint, openCheckpoint, parseCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import type { VerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import { syncDirectory, writeDurably } from "../keys/durable-file.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { PROGRAM_NAME } from "../program-name.ts";

/*
 * The log's key and its newest checkpoint lie beside the other keys. The checkpoint is there because it must not be
 * restored together with an older database: it is what tells.
 */

/** The key that signs checkpoints. Stolen: another history can be signed. Lost: a new log has to be begun. */
export interface LogKey {
  signer: Signer;
  /** Named after the log. */
  verifier: VerifierKey;
}

/** The log's key, and the newest checkpoint that it signed; there is none before the first. */
export interface LogFiles {
  key: LogKey;
  newest: { note: string; checkpoint: Checkpoint } | undefined;
}

/** Says how to begin a new log. */
export const RENEW =
  "To begin a new log instead, and tell everybody who verifies: " +
  `${PROGRAM_NAME} renew-audit-log --config FILE --reason TEXT`;

const checkpointFile = (directory: string) => join(directory, "audit-log.checkpoint");

/**
 * Opens key and newest checkpoint, or makes the key of a log that has signed nothing yet. Code `config-invalid` when
 * one is missing, or they do not belong together.
 */
export function openLogFiles(ring: KeyRing, log: { url: string; hasSigned: boolean }): LogFiles {
  const { directory } = ring;
  const signer = ring.auditLog();
  if (existsSync(checkpointFile(directory))) {
    if (signer === undefined) throw missing(ring.auditLogFile, `${checkpointFile(directory)} is there`);
    return readBoth(directory, signer);
  }
  if (log.hasSigned)
    throw missing(checkpointFile(directory), "the database has checkpoints that were signed");
  const key = signer ?? ring.createAuditLog();
  return { key: named(key, originOf(key, log.url)), newest: undefined };
}

/** Writes the newest checkpoint; it is on the disk when this returns. */
export function writeNewestCheckpoint(directory: string, note: string): void {
  writeDurably(checkpointFile(directory), note);
}

/** Puts key and checkpoint of a log that is over aside, with `suffix` in their names. */
export function setLogFilesAside({ directory, auditLogFile }: KeyRing, suffix: string): void {
  for (const file of [checkpointFile(directory), auditLogFile]) {
    if (existsSync(file)) renameSync(file, `${file}.${suffix}`);
  }
  syncDirectory(directory);
}

/** The newest checkpoint as it lies there, believed or not; undefined where there is none that can be read. */
export function newestCheckpointText(directory: string): string | undefined {
  return existsSync(checkpointFile(directory)) ? readFileSync(checkpointFile(directory), "utf8") : undefined;
}

function readBoth(directory: string, signer: Signer): LogFiles {
  const note = readFileSync(checkpointFile(directory), "utf8");
  try {
    const key = named(signer, parseCheckpoint(note).origin);
    return { key, newest: { note, checkpoint: openCheckpoint(note, key.verifier) } };
  } catch (cause) {
    throw new SallyportError(
      "config-invalid",
      `${checkpointFile(directory)} is not what the audit log's key signed: restore both. ${RENEW}`,
      { cause },
    );
  }
}

/** The name of a log: where it is, and a part of its key's hash, so that a new log has a new name. */
function originOf(signer: Signer, url: string): string {
  const { host, pathname } = new URL(url);
  const key = signer.publicKey.key.export({ format: "der", type: "spki" });
  const hash = createHash("sha256").update(key).digest("hex").slice(0, 8);
  return `${host}${pathname.replace(/[/+]+$/, "")}/audit-${hash}`;
}

function named(signer: Signer, name: string): LogKey {
  return { signer, verifier: { name, key: signer.publicKey.key } };
}

function missing(file: string, but: string): SallyportError {
  return new SallyportError(
    "config-invalid",
    `${file} is missing, but ${but}. Without it the audit log cannot go on: restore it from a backup. ${RENEW}`,
  );
}
