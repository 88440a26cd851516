import { type Decision, fileEvent, type RequestSurroundings, refused, unknownHandle } from "./decision.ts";
import { OpenFile } from "./open-file.ts";
import { MAX_HANDLE, PACKET_HEAD, SSH_FX } from "./protocol.ts";
import { MalformedRequest, RequestFields } from "./request-fields.ts";

/** So much of a WRITE is needed to decide it: with the longest handle, all up to its data. */
export const WRITE_HEAD: number = PACKET_HEAD + 4 + MAX_HANDLE + 8 + 4;

/** Decides a WRITE by its beginning, and begins its data. `length` is the whole packet's. */
export function decideWrite(beginning: Buffer, length: number, around: RequestSurroundings): Decision {
  try {
    const fields = new RequestFields(beginning, PACKET_HEAD);
    const file = around.handle(fields.bytes(MAX_HANDLE));
    const offset = fields.u64();
    const size = fields.u32();
    if (fields.at + size !== length) throw new MalformedRequest("its length is not that of its data");
    if (!(file instanceof OpenFile) || !file.mode.writes || file.revoked) return unknownHandle();
    if (offset + size > file.maxSize) return tooLarge(file);
    file.writeStarts(offset);
    file.writeMore(beginning.subarray(fields.at));
    return { pass: { kind: "write", file, length: size } };
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error;
    return refused(SSH_FX.BAD_MESSAGE, `Sallyport: the request is malformed: ${error.message}.`);
  }
}

function tooLarge(file: OpenFile): Decision {
  const why = `files may have ${file.maxSize} bytes here`;
  // Programs have many more requests on their way: one event is enough.
  const event = file.refused ? null : fileEvent("write", file.path, { result: "refused", detail: why });
  file.refused = true;
  file.failed(why);
  return { refuse: SSH_FX.FAILURE, text: `Sallyport: ${why}.`, event };
}
