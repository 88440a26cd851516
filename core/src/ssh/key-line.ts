import { malformed } from "./wire.ts";

/** Longest comment that we read, in characters. */
const MAX_COMMENT = 1024;
const LINE = /^([\x21-\x7e]{1,64}) ([A-Za-z0-9+/]+={0,2})(?:[ \t]\P{Cc}*)?\r?\n?$/u;

/**
 * Reads one line of an OpenSSH `.pub` file, `type base64 comment` (sshd(8), AUTHORIZED_KEYS FILE FORMAT, without
 * options), one line end allowed. The comment is dropped: nobody vouches for it. `maxBlob` bounds the blob in bytes.
 * Code `ssh-malformed`, also when the base64 is not the canonical one.
 */
export function parseKeyLine(line: string, maxBlob: number): { type: string; blob: Uint8Array } {
  const maxBase64 = Math.ceil(maxBlob / 3) * 4;
  if (line.length > 64 + maxBase64 + MAX_COMMENT) throw malformed("A key line is too long.");
  const [, type, base64] = LINE.exec(line) ?? [];
  if (type === undefined || base64 === undefined) throw malformed("A key line is not 'type base64 comment'.");
  const blob = Buffer.from(base64, "base64");
  if (blob.toString("base64") !== base64) throw malformed("The base64 of a key line is not canonical.");
  return { type, blob: new Uint8Array(blob) };
}

/**
 * Writes `type base64 comment` without a line end. The comment must pass {@link assertComment}.
 */
export function formatKeyLine(type: string, blob: Uint8Array, comment = ""): string {
  assertComment(comment);
  const line = `${type} ${Buffer.from(blob).toString("base64")}`;
  return comment === "" ? line : `${line} ${comment}`;
}

/**
 * Throws a `TypeError` unless `comment` is at most 1,024 characters of printable ASCII: comments end up in files,
 * agents and on terminals, where a line end or an escape would be obeyed.
 */
export function assertComment(comment: string): void {
  if (comment.length > MAX_COMMENT || !/^[\x20-\x7e]*$/.test(comment)) {
    throw new TypeError("a key comment is at most 1024 characters of printable ASCII");
  }
}
