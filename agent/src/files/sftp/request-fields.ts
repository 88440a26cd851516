import { ATTRIBUTE } from "./protocol.ts";

/** Longest path that the kernel takes, its end included (PATH_MAX). */
const MAX_PATH = 4096;

/** A request that is not what it should be: it is answered, and does not reach the host. */
export class MalformedRequest extends Error {}

/** Attributes of a request, and where in the packet those are that may have to be changed. */
export interface RequestAttributes {
  flags: number;
  size: number | null;
  permissions: number | null;
  /** Offset of the permissions in the packet. */
  permissionsAt: number;
}

/** Reads the fields of one whole packet, and nothing that is not there. Throws {@link MalformedRequest}. */
export class RequestFields {
  readonly #packet: Buffer;
  #at: number;

  constructor(packet: Buffer, at: number) {
    this.#packet = packet;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  u32(): number {
    const at = this.#take(4);
    return this.#packet.readUInt32BE(at);
  }

  /** A number that JavaScript can count with; what is larger is no offset in any file. */
  u64(): number {
    const high = this.u32();
    const low = this.u32();
    if (high >= 2 ** 21) throw new MalformedRequest("a number is too large");
    return high * 2 ** 32 + low;
  }

  bytes(longest: number): Buffer {
    const length = this.u32();
    if (length > longest) throw new MalformedRequest("a field is too long");
    const at = this.#take(length);
    return this.#packet.subarray(at, at + length);
  }

  /** A path. One that is no UTF-8 would be looked up under another name than the host's. */
  path(): string {
    const bytes = this.bytes(MAX_PATH - 1);
    const text = bytes.toString("utf8");
    if (bytes.includes(0)) throw new MalformedRequest("a path has a NUL");
    if (!Buffer.from(text).equals(bytes)) throw new MalformedRequest("a path is not UTF-8");
    return text;
  }

  attributes(): RequestAttributes {
    const flags = this.u32();
    const size = has(flags, ATTRIBUTE.SIZE) ? this.u64() : null;
    if (has(flags, ATTRIBUTE.UIDGID)) this.#take(8);
    const permissionsAt = this.#at;
    const permissions = has(flags, ATTRIBUTE.PERMISSIONS) ? this.u32() : null;
    if (has(flags, ATTRIBUTE.ACMODTIME)) this.#take(8);
    if (has(flags, ATTRIBUTE.EXTENDED)) throw new MalformedRequest("extended attributes are not known here");
    return { flags, size, permissions, permissionsAt };
  }

  /** Nothing may follow: what we do not read, nobody should. */
  end(): void {
    if (this.#at !== this.#packet.length) throw new MalformedRequest("more follows than should");
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#packet.length - at) throw new MalformedRequest("it is cut off");
    this.#at += length;
    return at;
  }
}

/** Whether a bit is set; `&` alone makes the highest one negative. */
export function has(flags: number, bit: number): boolean {
  return (flags & bit) !== 0;
}
