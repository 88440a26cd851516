import {
  changeEntry,
  makeDirectory,
  rename,
  setAttributes,
  setAttributesOfHandle,
  symlink,
  withoutSetuid,
} from "./decide-change.ts";
import { extended } from "./decide-extended.ts";
import {
  type Decider,
  type Decision,
  notAllowed,
  onHandle,
  type RequestSurroundings,
  refused,
  see,
  unknownHandle,
} from "./decision.ts";
import { OpenFile, openMode } from "./open-file.ts";
import { MAX_HANDLE, PACKET_HEAD, SSH_FX, SSH_FXF, SSH_FXP } from "./protocol.ts";
import { MalformedRequest, RequestFields } from "./request-fields.ts";

const DECIDERS: ReadonlyMap<number, Decider> = new Map<number, Decider>([
  [SSH_FXP.OPEN, open],
  [SSH_FXP.CLOSE, onHandle((handle) => ({ kind: "close", handle }), { revoked: true })],
  [SSH_FXP.READ, read],
  [SSH_FXP.LSTAT, see("entry")],
  [SSH_FXP.STAT, see("follow")],
  [SSH_FXP.REALPATH, see("follow")],
  [
    SSH_FXP.FSTAT,
    onHandle((on) => (on instanceof OpenFile ? { kind: "fstat", file: on } : { kind: "plain" })),
  ],
  [SSH_FXP.SETSTAT, setAttributes("follow")],
  [SSH_FXP.FSETSTAT, setAttributesOfHandle],
  [SSH_FXP.OPENDIR, openDirectory],
  [SSH_FXP.READDIR, readDirectory],
  [SSH_FXP.REMOVE, changeEntry("remove")],
  [SSH_FXP.RMDIR, changeEntry("remove-directory")],
  [SSH_FXP.MKDIR, makeDirectory],
  [SSH_FXP.RENAME, rename],
  [SSH_FXP.READLINK, readLink],
  [SSH_FXP.SYMLINK, symlink],
  [SSH_FXP.EXTENDED, extended],
]);

/**
 * Decides a whole request, WRITE excepted. Only what is known passes, and only with the fields that are known: a request
 * that is not what it should be is answered with SSH_FX_BAD_MESSAGE.
 */
export function decideRequest(packet: Buffer, around: RequestSurroundings): Decision {
  const type = packet.readUInt8(4);
  const decide = DECIDERS.get(type);
  if (decide === undefined)
    return refused(SSH_FX.OP_UNSUPPORTED, `Sallyport: SFTP requests of type ${type} are not known here.`);
  try {
    return decide(new RequestFields(packet, PACKET_HEAD), around, packet);
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error;
    return refused(SSH_FX.BAD_MESSAGE, `Sallyport: the request is malformed: ${error.message}.`);
  }
}

function open(fields: RequestFields, { access }: RequestSurroundings, packet: Buffer): Decision {
  const asked = fields.path();
  const pflagsAt = fields.at;
  const pflags = fields.u32();
  const attributes = fields.attributes();
  fields.end();
  if (pflags >= 2 * SSH_FXF.EXCL) throw new MalformedRequest("there are flags that are not known");
  const mode = openMode(pflags);
  const path = access.follow(asked);
  if (path === null) return notAllowed(mode.writes ? "write" : "read", asked, access, null);
  if (mode.writes && !access.mayWrite(path)) return notAllowed("write", asked, access, path);
  if (mode.reads && !access.mayRead(path)) return notAllowed("read", asked, access, path);
  const maxSize = access.maxFileSize(path);
  let changed = withoutSetuid(packet, attributes);
  if (mode.append && maxSize !== Infinity) {
    // Where the file's end is, the host alone knows; an offset can be measured.
    changed ??= Buffer.from(packet);
    changed.writeUInt32BE((pflags & ~SSH_FXF.APPEND) >>> 0, pflagsAt);
  }
  const pass = { kind: "open", path, mode, maxSize } as const;
  return changed === undefined ? { pass } : { pass, changed };
}

function read(fields: RequestFields, around: RequestSurroundings): Decision {
  const handle = around.handle(fields.bytes(MAX_HANDLE));
  const offset = fields.u64();
  const length = fields.u32();
  fields.end();
  if (!(handle instanceof OpenFile) || !handle.mode.reads || handle.revoked) return unknownHandle();
  return { pass: { kind: "read", file: handle, offset, length } };
}

function openDirectory(fields: RequestFields, { access }: RequestSurroundings): Decision {
  const asked = fields.path();
  fields.end();
  const path = access.follow(asked);
  if (path === null || !access.holds(path)) return notAllowed("list", asked, access, path);
  return { pass: { kind: "opendir", path } };
}

function readDirectory(fields: RequestFields, around: RequestSurroundings): Decision {
  const handle = around.handle(fields.bytes(MAX_HANDLE));
  fields.end();
  if (handle === undefined || handle.revoked) return unknownHandle();
  return { pass: { kind: "plain" } };
}

function readLink(fields: RequestFields, { access }: RequestSurroundings): Decision {
  const asked = fields.path();
  fields.end();
  const path = access.entry(asked);
  if (path === null || !access.holds(path)) return notAllowed("list", asked, access, path);
  return { pass: { kind: "plain" } };
}
