import { SallyportError } from "@sallyport/core/errors.ts";
import { openCheckpoint, signCheckpointWith } from "@sallyport/core/transparency/checkpoint.ts";
import { leafHash, sameHash } from "@sallyport/core/transparency/hashing.ts";
import { formatVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import { holdsConsistency, type TreeHead } from "@sallyport/core/transparency/verify-proof.ts";
import { addCheckpoint, hasCheckpoints, newestCheckpoint } from "../database/audit-checkpoints.ts";
import { listAuditEvents } from "../database/audit-events.ts";
import { readSubtrees, treeSize } from "../database/audit-tree.ts";
import type { Database } from "../database/tables.ts";
import { exclusively } from "../database/write-lock.ts";
import { type Environment, seconds } from "../environment.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { errorFields } from "../log.ts";
import { auditLeaf } from "./leaf.ts";
import {
  type LogKey,
  newestCheckpointText,
  openLogFiles,
  RENEW,
  writeNewestCheckpoint,
} from "./log-files.ts";
import { consistencyProof, treeHeadAt } from "./tree-head.ts";

/** How often at most the tree's head is signed, in milliseconds. */
const EVERY = 1000;

/** One checkpoint is signed at a time, by whichever replica. Writers go on: the key may be far away. */
const SIGNING = "audit log checkpoint";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "log">;
  /** Where the keys are, and beside them the newest checkpoint. */
  ring: KeyRing;
  /** The control plane's; a new log is named after it. */
  url: string;
}

/**
 * Opens the audit log, or begins it. Code `log-inconsistent` when the database does not have what was signed, as after
 * restoring an older backup: signing on from there would make two histories under one key.
 */
export async function openAuditLog(needs: Needs): Promise<AuditLog> {
  const { db, ring, url } = needs;
  const { directory } = ring;
  await checkLastLeaf(db);
  const { key, newest } = openLogFiles(ring, { url, hasSigned: await hasCheckpoints(db) });
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
    return exclusively(needs.db, SIGNING, async (db) => {
      const head = await treeHeadAt(db, await treeSize(db));
      const log = new AuditLog(needs, key, { note: "", head });
      await log.#keep(db, head);
      return log;
    });
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
    if ((await treeSize(this.#needs.db)) === this.#latest.head.size) return;
    await exclusively(this.#needs.db, SIGNING, async (db) => {
      await this.#adopt(db);
      const size = await treeSize(db);
      const before = this.#latest.head;
      if (size === before.size) return;
      const head = await treeHeadAt(db, size);
      await checkConsistency(db, before, head);
      await this.#keep(db, head);
    });
  }

  /** Takes over what another replica has signed since, as it is in the database or, after a crash, only beside the keys. */
  async #adopt(db: Database): Promise<void> {
    const { directory } = this.#needs.ring;
    const { verifier } = this.#key;
    const [stored, file] = [await newestCheckpoint(db, verifier.name), newestCheckpointText(directory)];
    for (const note of [stored, file]) {
      if (note === undefined || note === this.#latest.note) continue;
      const head = openCheckpoint(note, verifier);
      const before = this.#latest.head;
      if (head.size < before.size) await checkConsistency(db, head, before);
      else await checkConsistency(db, before, head);
      if (head.size > before.size) this.#latest = { note, head };
    }
    // The next start must find it here too.
    if (file !== this.#latest.note) writeNewestCheckpoint(directory, this.#latest.note);
  }

  async #keep(db: Database, head: TreeHead): Promise<void> {
    const { ring, environment } = this.#needs;
    const { verifier, signer } = this.#key;
    const note = await signCheckpointWith({ origin: verifier.name, ...head, extensions: [] }, signer);
    // The file first: it is what a database is compared with.
    writeNewestCheckpoint(ring.directory, note);
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

/** Both are heads of the tree that the database has, and the larger continues the smaller. */
async function checkConsistency(db: Database, smaller: TreeHead, larger: TreeHead): Promise<void> {
  if (larger.size > (await treeSize(db))) throw changed();
  if (!sameHash((await treeHeadAt(db, larger.size)).root, larger.root)) throw changed();
  const proof = smaller.size === larger.size ? [] : await consistencyProof(db, smaller.size, larger.size);
  if (!holdsConsistency(smaller, larger, proof)) throw changed();
}

function changed(): SallyportError {
  return new SallyportError(
    "log-inconsistent",
    `The audit log in the database was changed: its tree does not fit what was there before. Restore the newest backup. ${RENEW}`,
  );
}
