import type { KeyObject } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import { startRecordOf } from "@sallyport/core/recording/export.ts";
import { type EndRecord, FrameKind } from "@sallyport/core/recording/frame.ts";
import { listRecordings, OWNER_FILE } from "@sallyport/uplink/spool/layout.ts";
import { type Recovered, recoverRecording } from "@sallyport/uplink/spool/recovery.ts";
import { isAlive, type ProcessIdentity } from "../kernel/processes.ts";

const RETRY_MS = 5_000;

export interface RecoveryContext {
  spool: string;
  rejected: string;
  hostKey: KeyObject;
  /** The recording is closed and may be uploaded whole. */
  onClosed(recording: SessionId, recovered: Recovered | null): void;
  /** It makes no sense and was set aside. */
  onDamaged(recording: SessionId, error: unknown): void;
}

/** Closes every recording in the spool whose recorder does not live any more: after a crash or a reboot. */
export function recoverOrphans(context: RecoveryContext): void {
  for (const recording of listRecordings(context.spool)) {
    const owner = readOwner(context.spool, recording);
    if (owner === null || !isAlive(owner)) recover(context, recording, "recorder-lost");
  }
}

/** Closes the recordings of a living recorder that it does not hold any more: they ended while nobody listened. */
export function recoverForgotten(
  context: RecoveryContext,
  recorder: ProcessIdentity,
  held: Set<string>,
): void {
  for (const recording of listRecordings(context.spool)) {
    const owner = readOwner(context.spool, recording);
    const its = owner !== null && owner.pid === recorder.pid && owner.startTime === recorder.startTime;
    if (its && !held.has(recording)) recover(context, recording, "spool-failed");
  }
}

/** Closes one recording that nobody writes any more; one that is closed already is only offered for upload. */
export function recover(context: RecoveryContext, recording: SessionId, reason: EndRecord["reason"]): void {
  if (!existsSync(join(context.spool, recording))) return; // uploaded and removed already
  try {
    const end = { v: 1 as const, exitStatus: null, signal: null, reason, detail: "" };
    context.onClosed(recording, recoverRecording(context.spool, recording, context.hostKey, end, startedAt));
  } catch (error) {
    if (isSallyportError(error)) {
      renameSync(join(context.spool, recording), join(context.rejected, recording));
      context.onDamaged(recording, error);
    } else {
      // The disk, not the data: what was recorded stays, and is closed when there is room again.
      setTimeout(() => recover(context, recording, reason), RETRY_MS).unref();
    }
  }
}

function startedAt(firstFrame: Uint8Array): number {
  return startRecordOf({ kind: FrameKind.start, time: 0, data: firstFrame }).startedAt;
}

function readOwner(spool: string, recording: SessionId): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(join(spool, recording, OWNER_FILE), "utf8")) as ProcessIdentity; // root's own file
  } catch {
    return null;
  }
}
