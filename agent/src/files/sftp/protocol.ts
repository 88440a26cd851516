/*
 * SFTP version 3 as OpenSSH speaks it: draft-ietf-secsh-filexfer-02, and the file PROTOCOL of OpenSSH for what it added.
 * A packet is `u32 length | type (1 byte) | u32 id | …`, the length counting from the type on.
 */

/** Types of packets. */
export const SSH_FXP = {
  INIT: 1,
  VERSION: 2,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
  EXTENDED: 200,
  EXTENDED_REPLY: 201,
} as const;

/** Codes of a STATUS. */
export const SSH_FX = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  OP_UNSUPPORTED: 8,
} as const;
export type StatusCode = (typeof SSH_FX)[keyof typeof SSH_FX];

/** `pflags` of an OPEN. */
export const SSH_FXF = { READ: 1, WRITE: 2, APPEND: 4, CREAT: 8, TRUNC: 16, EXCL: 32 } as const;

/** Which attributes follow. */
export const ATTRIBUTE = { SIZE: 1, UIDGID: 2, PERMISSIONS: 4, ACMODTIME: 8, EXTENDED: 0x80000000 } as const;

/** Longest packet that OpenSSH takes, from its type on. */
export const MAX_PACKET: number = 256 * 1024;
/** Longest handle (§6.3). */
export const MAX_HANDLE = 256;
/** A packet's length, type and id. */
export const PACKET_HEAD = 9;

/** What a STATUS says in words, where the host said nothing better. */
export function statusText(code: number): string {
  const texts = [
    ...["Success", "End of file", "No such file", "Permission denied", "Failure", "Bad message"],
    ...["No connection", "Connection lost", "Operation unsupported"],
  ];
  return texts[code] ?? "Unknown error";
}

/** A whole STATUS packet. */
export function statusPacket(id: number, code: StatusCode, text: string): Buffer {
  const message = Buffer.from(text);
  const packet = Buffer.alloc(PACKET_HEAD + 4 + 4 + message.length + 4);
  packet.writeUInt32BE(packet.length - 4, 0);
  packet.writeUInt8(SSH_FXP.STATUS, 4);
  packet.writeUInt32BE(id, 5);
  packet.writeUInt32BE(code, PACKET_HEAD);
  packet.writeUInt32BE(message.length, PACKET_HEAD + 4);
  message.copy(packet, PACKET_HEAD + 8);
  return packet;
}
