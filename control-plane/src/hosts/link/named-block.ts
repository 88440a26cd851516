import { SessionId } from "@sallyport/core/names.ts";

const ID_AT = 4;
const SEQUENCE_AT = ID_AT + 30;

/** Which block a message that is no proper block claims to be, so that its host can be told to set it aside. */
export function namedBlock(bytes: Buffer): { recording: SessionId; sequence: number } | undefined {
  if (bytes.length < SEQUENCE_AT + 4) return undefined;
  const recording = SessionId.safeParse(bytes.toString("latin1", ID_AT, SEQUENCE_AT));
  return recording.success
    ? { recording: recording.data, sequence: bytes.readUInt32BE(SEQUENCE_AT) }
    : undefined;
}
