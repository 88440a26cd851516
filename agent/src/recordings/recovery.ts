import type { KeyObject } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import { startRecordOf } from "@sallyport/core/recording/export.ts";
import { type EndRecord, FrameKind } from "@sallyport/core/recording/frame.ts";
import { isPassing } from "@sallyport/uplink/spool/disk-error.ts";
import { listOpenBlocks, listRecordings } from "@sallyport/uplink/spool/layout.ts";
import { type Recovered, recoverRecording } from "@sallyport/uplink/spool/recovery.ts";
import { setAside } from "@sallyport/uplink/spool/set-aside.ts";
import { bootId } from "../kernel/boot-id.ts";
import { isAlive, type ProcessIdentity } from "../kernel/processes.ts";
import { lossOf, readOwner } from "./owner.ts";

/** When there is no room: the first pause, and the longest. */
const RETRY_MS = 5_000;
const MAX_RETRY_MS = 60_000;
/** A recording that cannot be read is set aside after so many attempts. */
const ATTEMPTS = 3;
/** A recording without an owner may be one that begins at this moment. */
const BEGINNING_MS = 10_000;
/** How often a recorder of an earlier agent is looked for that lives and has not come to this one. */
const AWAITED_MS = 1_000;
/** Time for a recorder to say that it has begun a session, for which it had the ticket of an earlier agent. */
const NEWS_MS = 500;

export interface RecoveryContext {
  spool: string;
  rejected: string;
  hostKey: KeyObject;
  /** The recording is closed and may be uploaded whole. */
  onClosed(recording: SessionId, recovered: Recovered | null): void;
  /** It makes no sense or cannot be read, and was set aside; with `stuck` even that could not be done. Said once. */
  onDamaged(recording: SessionId, error: unknown, stuck?: unknown): void;
  /** It cannot be closed yet, because the disk has no room: it will be. Said once. */
  onDelayed(recording: SessionId, error: unknown): void;
  /** There is room again for a recording to be closed; asked before an attempt that had none. */
  hasRoom(): boolean;
  /** This recorder is connected: should it die, that will be seen. */
  isConnected(recorder: ProcessIdentity): boolean;
}

/**
 * Closes every recording in the spool whose recorder does not live any more: after a crash or a reboot. One after the
 * other, so that logins are answered meanwhile.
 */
export async function recoverOrphans(context: RecoveryContext): Promise<void> {
  for (const recording of listRecordings(context.spool)) {
    recoverIfLost(context, recording);
    await new Promise(setImmediate);
  }
}

function recoverIfLost(context: RecoveryContext, recording: SessionId): void {
  const owner = readOwner(context.spool, recording);
  const loss = lossOf(owner);
  // It may yet die before it comes, and then nobody else would see it.
  if (owner !== null && loss === null) {
    if (!context.isConnected(owner)) setTimeout(() => recoverIfLost(context, recording), AWAITED_MS).unref();
    return;
  }
  if (loss === null) return;
  if (owner === null && isNew(join(context.spool, recording)))
    setTimeout(() => recoverIfLost(context, recording), BEGINNING_MS).unref();
  else recover(context, recording, loss);
}

/**
 * Closes the recordings of a living recorder that it does not hold any more: they ended while nobody listened. `held`
 * says which it holds, by what it has told so far; one may have begun since it told, so it is asked twice.
 */
export function recoverForgotten(
  context: RecoveryContext,
  recorder: ProcessIdentity,
  held: () => ReadonlySet<string>,
): void {
  const forgotten = recordingsOf(context.spool, recorder).filter((recording) => !held().has(recording));
  if (forgotten.length === 0) return;
  const close = async () => {
    for (const recording of forgotten) {
      if (!held().has(recording))
        recover(context, recording, isAlive(recorder) ? "spool-failed" : "recorder-lost");
      await new Promise(setImmediate);
    }
  };
  setTimeout(() => void close(), NEWS_MS).unref();
}

/** Closes the recordings that a recorder held when it died, by what it had told, and others that it had not closed. */
export function recoverLost(
  context: RecoveryContext,
  recorder: ProcessIdentity,
  held: readonly SessionId[],
): void {
  const isOpen = (recording: SessionId) => listOpenBlocks(join(context.spool, recording)).length > 0;
  const others = recordingsOf(context.spool, recorder).filter(isOpen);
  for (const recording of new Set([...held, ...others])) recover(context, recording, "recorder-lost");
}

function recordingsOf(spool: string, { pid, startTime }: ProcessIdentity): SessionId[] {
  return listRecordings(spool).filter((recording) => {
    const owner = readOwner(spool, recording);
    return owner?.pid === pid && owner.startTime === startTime && owner.boot === bootId();
  });
}

/** Closes one recording that nobody writes any more; one that is closed already is only offered for upload. */
export function recover(context: RecoveryContext, recording: SessionId, reason: EndRecord["reason"]): void {
  attempt(context, recording, reason, 1);
}

function attempt(
  context: RecoveryContext,
  recording: SessionId,
  reason: EndRecord["reason"],
  count: number,
): void {
  if (!existsSync(join(context.spool, recording))) return; // uploaded and removed already
  let recovered: Recovered | null;
  try {
    const end = { v: 1 as const, exitStatus: null, signal: null, reason, detail: "" };
    recovered = recoverRecording(context.spool, recording, context.hostKey, end, startedAt);
  } catch (error) {
    const passing = isPassing(error);
    if (isSallyportError(error) || (!passing && count >= ATTEMPTS)) {
      giveUp(context, recording, error);
    } else {
      // The disk, not the data: what was recorded stays, and is closed when there is room again.
      if (passing && count === 1) context.onDelayed(recording, error);
      retry(context, recording, reason, count);
    }
    return;
  }
  context.onClosed(recording, recovered);
}

/** Without room nothing is read again: many recordings may wait, and reading them costs. */
function retry(
  context: RecoveryContext,
  recording: SessionId,
  reason: EndRecord["reason"],
  count: number,
): void {
  const pause = Math.min(RETRY_MS * count, MAX_RETRY_MS);
  setTimeout(() => {
    if (context.hasRoom()) attempt(context, recording, reason, count + 1);
    else retry(context, recording, reason, 1);
  }, pause).unref();
}

function giveUp(context: RecoveryContext, recording: SessionId, error: unknown): void {
  try {
    setAside(context.spool, recording, context.rejected);
  } catch (stuck) {
    context.onDamaged(recording, error, stuck);
    return;
  }
  context.onDamaged(recording, error);
}

function isNew(directory: string): boolean {
  try {
    return Date.now() - statSync(directory).ctimeMs < BEGINNING_MS;
  } catch {
    return false;
  }
}

function startedAt(firstFrame: Uint8Array): number {
  return startRecordOf({ kind: FrameKind.start, time: 0, data: firstFrame }).startedAt;
}
