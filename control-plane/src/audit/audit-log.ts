import { SallyportError } from "@sallyport/core/errors.ts";
import { signCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { leafHash, sameHash } from "@sallyport/core/transparency/hashing.ts";
import { formatVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import { holdsConsistency, type TreeHead } from "@sallyport/core/transparency/verify-proof.ts";
import { addCheckpoint, hasCheckpoints } from "../database/audit-checkpoints.ts";
import { listAuditEvents } from "../database/audit-events.ts";
import { readSubtrees, treeSize } from "../database/audit-tree.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { errorFields } from "../log.ts";
import { auditLeaf } from "./leaf.ts";
import { type LogKey, openLogFiles, RENEW, writeNewestCheckpoint } from "./log-files.ts";
import { consistencyProof, treeHeadAt } from "./tree-head.ts";

/** How often at most the tree's head is signed, in milliseconds. */
const EVERY = 1000;

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "log">;
  /** Where the keys are. */
  directory: string;
  /** The control plane's; a new log is named after it. */
  url: string;
}

/**
 * Opens the audit log, or begins it. Code `log-inconsistent` when the database does not have what was signed, as after
 * restoring an older backup: signing on from there would make two histories under one key.
 */
export async function openAuditLog(needs: Needs): Promise<AuditLog> {
  const { db, directory, url } = needs;
  await checkLastLeaf(db);
  const { key, newest } = openLogFiles(directory, { url, hasSigned: await hasCheckpoints(db) });
  if (newest === undefined) return AuditLog.begin(needs, key);
  const { note, checkpoint } = newest;
  const size = await treeSize(db);
  if (size < checkpoint.size || !sameHash((await treeHeadAt(db, checkpoint.size)).root, checkpoint.root)) {
    throw new SallyportError(
      "log-inconsistent",
      `The audit log in the database has ${size} entries${size < checkpoint.size ? "" : ", others than were signed"}, ` +
        `but the checkpoint in ${directory} says that ${checkpoint.size} were signed. The database is an older one, or ` +
        "was changed, and revocations may be missing in it: restore the newest. " +
        RENEW,
    );
  }
  return new AuditLog(needs, key, { note, head: checkpoint });
}

/** Signs the head of the audit log's tree as it grows. Proofs and entries come from the database. */
export class AuditLog {
  readonly #needs: Needs;
  readonly #key: LogKey;
  #latest: { note: string; head: TreeHead };
  #signing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trouble = "";

  /** `latest` is the newest checkpoint: the next one is consistent with it or is not signed. */
  constructor(needs: Needs, key: LogKey, latest: { note: string; head: TreeHead }) {
    this.#needs = needs;
    this.#key = key;
    this.#latest = latest;
  }

  /** Begins a log with a first checkpoint over what is there. */
  static async begin(needs: Needs, key: LogKey): Promise<AuditLog> {
    const head = await treeHeadAt(needs.db, await treeSize(needs.db));
    const log = new AuditLog(needs, key, { note: "", head });
    await log.#keep(head);
    return log;
  }

  /** The public key in the form that verifiers take: `name+id+key`. */
  get verifierKey(): string {
    return formatVerifierKey(this.#key.verifier);
  }

  /** Signs once a second when the tree has grown, whoever made it grow. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#sign().then(
        () => this.#tell(undefined),
        (error: unknown) => this.#tell(error),
      );
    }, EVERY);
    this.#timer.unref();
  }

  /** A checkpoint over everything that is committed when this is called. */
  async checkpoint(): Promise<{ note: string; size: number }> {
    // One that is being signed may have looked before.
    await this.#signing?.catch(() => {});
    await this.#sign();
    return { note: this.#latest.note, size: this.#latest.head.size };
  }

  /** Signs what has not been signed, and stops. Never rejects: the next start signs it. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.checkpoint().catch((error: unknown) => this.#tell(error));
  }

  #sign(): Promise<void> {
    this.#signing ??= this.#signIfGrown().finally(() => {
      this.#signing = undefined;
    });
    return this.#signing;
  }

  async #signIfGrown(): Promise<void> {
    const { db } = this.#needs;
    const size = await treeSize(db);
    const before = this.#latest.head;
    if (size === before.size) return;
    if (size < before.size) throw changed();
    const head = await treeHeadAt(db, size);
    if (!holdsConsistency(before, head, await consistencyProof(db, before.size, size))) throw changed();
    await this.#keep(head);
  }

  async #keep(head: TreeHead): Promise<void> {
    const { db, directory, environment } = this.#needs;
    const { verifier, privateKey } = this.#key;
    const note = signCheckpoint({ origin: verifier.name, ...head, extensions: [] }, privateKey);
    // The file first: it is what a database is compared with.
    writeNewestCheckpoint(directory, note);
    this.#latest = { note, head };
    const signed_at = seconds(environment.clock);
    await addCheckpoint(db, { origin: verifier.name, size: head.size, note, signed_at });
  }

  /** Once for each trouble, not once a second. */
  #tell(error: unknown): void {
    const trouble = error === undefined ? "" : String(error);
    if (trouble !== "" && trouble !== this.#trouble)
      this.#needs.environment.log.error("audit log not signed", errorFields(error));
    this.#trouble = trouble;
  }
}

/** The tree ends with the newest event. They are written in one transaction; somebody else may have changed them. */
async function checkLastLeaf(db: Database): Promise<void> {
  const [[last], size] = [await listAuditEvents(db, 1), await treeSize(db)];
  const read = await readSubtrees(db, size === 0 ? [] : [{ level: 0, index: size - 1 }]);
  if (last === undefined && size === 0) return;
  if (last?.leaf_index !== size - 1) throw changed();
  if (!sameHash(read({ level: 0, index: size - 1 }), leafHash(auditLeaf(last)))) throw changed();
}

function changed(): SallyportError {
  return new SallyportError(
    "log-inconsistent",
    `The audit log in the database was changed: its tree does not fit what was there before. Restore the newest backup. ${RENEW}`,
  );
}
