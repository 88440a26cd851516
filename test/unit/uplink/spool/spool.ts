import { spawnSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeId, SessionId } from "@sallyport/core/names.ts";
import { recordingFrames } from "@sallyport/core/recording/chain.ts";
import { startRecordOf } from "@sallyport/core/recording/export.ts";
import { type EndRecord, type Frame, FrameKind, type StartRecord } from "@sallyport/core/recording/frame.ts";
import { BLOCKS_FILE } from "@sallyport/uplink/spool/layout.ts";
import { RecordingWriter, type WriterContext } from "@sallyport/uplink/spool/recording-writer.ts";
import { type Recovered, recoverRecording } from "@sallyport/uplink/spool/recovery.ts";

export const hostKeys: { privateKey: KeyObject; publicKey: KeyObject } = generateKeyPairSync("ed25519");

export function newSession(): SessionId {
  return SessionId.parse(makeId("ses", Date.now(), randomBytes(10)));
}

export function startRecord(session: string): StartRecord {
  return {
    v: 1,
    session,
    host: { id: `hst_${"0".repeat(26)}`, name: "db-1" },
    account: "deploy",
    member: { id: `mem_${"0".repeat(26)}`, name: "Alice", issuer: "https://idp.example", subject: "alice" },
    engagement: { id: `eng_${"0".repeat(26)}`, name: "acme-db" },
    login: { certificateSerial: "42", keyFingerprint: "SHA256:key", sourceAddress: null, mfa: "mfa" },
    kind: "pty",
    command: null,
    terminal: { term: "xterm", columns: 80, rows: 24 },
    startedAt: 1_760_436_000_000,
  };
}

export const END: EndRecord = {
  v: 1,
  exitStatus: 0,
  signal: null,
  reason: "exited",
  detail: "",
  endedAt: 1_760_436_001_000,
};
const LOST: Omit<EndRecord, "endedAt"> = {
  v: 1,
  exitStatus: null,
  signal: null,
  reason: "recorder-lost",
  detail: "",
};

/** A spool in a directory of its own. */
export interface Spool {
  path: string;
  remove(): void;
}

export function makeSpool(): Spool {
  const path = mkdtempSync(join(tmpdir(), "spool-"));
  return { path, remove: () => rmSync(path, { recursive: true }) };
}

/** A spool on a small disk of its own, which `remove` unmounts: that fails while anything is open on it. */
export function makeSmallSpool(options: string): Spool {
  const { path } = makeSpool();
  run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path);
  return {
    path,
    remove: () => {
      run("umount", path);
      rmSync(path, { recursive: true });
    },
  };
}

/** Makes the disk of {@link makeSmallSpool} another one, of another size for instance. */
export function remount(path: string, options: string): void {
  run("mount", "-o", `remount,${options}`, path);
}

function run(command: string, ...argv: string[]): void {
  const { status, stderr, error } = spawnSync(command, argv, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${argv.join(" ")}: ${error ?? stderr}`);
}

export interface Writing {
  writer: RecordingWriter;
  directory: string;
  sealed: number[];
  failures: unknown[];
}

/** A writer at work; times go up by a millisecond with each frame. */
export function startWriting(
  spool: string,
  changes: Partial<WriterContext> = {},
  session: SessionId = newSession(),
): Writing {
  const sealed: number[] = [];
  const failures: unknown[] = [];
  let micros = 0;
  const writer = new RecordingWriter(startRecord(session), session, {
    spool,
    hostKey: hostKeys.privateKey,
    owner: '{"pid":1}',
    micros: () => (micros += 1000),
    onSealed: (_, sequence) => sealed.push(sequence),
    onFailed: (error) => failures.push(error),
    ...changes,
  });
  return { writer, directory: join(spool, session), sealed, failures };
}

export function recover(spool: string, session: SessionId): Recovered | null {
  const startedAt = (data: Uint8Array) => startRecordOf({ kind: FrameKind.start, time: 0, data }).startedAt;
  return recoverRecording(spool, session, hostKeys.privateKey, LOST, startedAt);
}

export function readBlocks(directory: string): Buffer {
  return readFileSync(join(directory, BLOCKS_FILE));
}

/** What was recorded of output, in one piece. */
export function outputOf(frames: Iterable<Frame>): Buffer {
  return Buffer.concat([...frames].filter(({ kind }) => kind === FrameKind.output).map(({ data }) => data));
}
export const recordedOutput = (directory: string): Buffer => outputOf(recordingFrames(readBlocks(directory)));

export const openFiles = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.endsWith(".open"));

/** Descriptors of this process that are open on files below `path`. */
export function descriptorsBelow(path: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(`${path}/`) ? [target] : [];
    } catch {
      return []; // the descriptor of this very listing
    }
  });
}

/** How many timers of this process are set, once it is at rest (mocha sets its own a moment after a test began). */
export async function timers(): Promise<number> {
  await new Promise(setImmediate);
  return process.getActiveResourcesInfo().filter((one) => one === "Timeout").length;
}
