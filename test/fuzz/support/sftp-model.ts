import { posix } from "node:path";
import type { FileGrant } from "@sallyport/core/files/file-grant.ts";

/** What may be done in the model's file system. */
export const GRANT: FileGrant = {
  protocols: ["sftp"],
  directories: [
    { path: "/g/rw", access: "read-write", maxFileSize: 5000 },
    { path: "/g/ro", access: "read", maxFileSize: null },
    { path: "/g/wo", access: "write", maxFileSize: null },
  ],
};

/** A file system with two links, one that leads out and one that leads in. */
export function real(path: string): string | null {
  if (!path.startsWith("/")) return null;
  const plain = posix.normalize(path.replace(/^\/+/, "/")).replace(/(.)\/$/, "$1");
  return plain.replace(/^\/g\/rw\/out(?=\/|$)/, "/etc").replace(/^\/home\/in(?=\/|$)/, "/g/ro");
}

const isIn = (path: string | null, ...directories: string[]) =>
  path !== null && directories.some((one) => path === one || path.startsWith(`${one}/`));
const WRITABLE = ["/g/rw", "/g/wo"];
const READABLE = ["/g/rw", "/g/ro"];
const ALL = [...WRITABLE, ...READABLE];
const WAYS = ["/", "/g", "/home"];

/** Reads a request as leniently as sftp-server does; null when it would do nothing with it. */
function fields(packet: Buffer) {
  let at = 9;
  const u32 = () => {
    at += 4;
    return packet.readUInt32BE(at - 4);
  };
  const string = () => {
    const length = u32();
    at += length;
    if (at > packet.length) throw new RangeError("cut off");
    return packet.toString("latin1", at - length, at);
  };
  return { u32, string };
}

/** What is wrong with a request that reached the host; "" when nothing is. */
export function wrongWith(packet: Buffer): string {
  const { u32, string } = fields(packet);
  const absolute = (path: string) => (path.startsWith("/") ? path : `/home/${path}`);
  const follow = (path: string) => real(absolute(path));
  const entry = (path: string) => {
    const whole = absolute(path).replace(/(.)\/+$/, "$1");
    if (/(^|\/)\.{0,2}$/.test(whole)) return real(whole);
    // The last part is not followed.
    const parent = real(posix.dirname(whole));
    return parent === "/" ? `/${posix.basename(whole)}` : `${parent}/${posix.basename(whole)}`;
  };
  const seen = (path: string | null) => (path !== null && WAYS.includes(path) ? true : isIn(path, ...ALL));
  const check = (fine: boolean, what: string) => (fine ? "" : what);
  const type = packet.readUInt8(4);
  switch (type) {
    case 3: {
      const path = string();
      const flags = u32();
      const writes = (flags & 0b11110) !== 0;
      const reads = (flags & 1) !== 0 || (flags & 2) === 0;
      const to = follow(path);
      return check(
        (!writes || isIn(to, ...WRITABLE)) && (!reads || isIn(to, ...READABLE)),
        `open ${path} ${flags}`,
      );
    }
    case 7:
    case 17:
    case 16: {
      const path = string();
      return check(seen(follow(path)) || (type === 7 && seen(entry(path))), `look at ${path}`);
    }
    case 9: {
      const path = string();
      return check(isIn(follow(path), ...WRITABLE) && (u32() & 2) === 0, `set attributes of ${path}`);
    }
    case 11: {
      const path = string();
      return check(isIn(follow(path), ...ALL), `list ${path}`);
    }
    case 13:
    case 14:
    case 15: {
      const path = string();
      return check(isIn(entry(path), ...WRITABLE), `change ${path}`);
    }
    case 19: {
      const path = string();
      return check(isIn(entry(path), ...ALL), `read link ${path}`);
    }
    case 18:
    case 20: {
      const [from, to] = [string(), string()];
      const fine =
        type === 18
          ? isIn(entry(from), ...WRITABLE) && isIn(entry(to), ...WRITABLE)
          : isIn(entry(to), ...WRITABLE);
      return check(fine, `${type} ${from} ${to}`);
    }
    case 200: {
      const name = string();
      if (!/^(posix-rename|hardlink)@openssh.com$/.test(name)) return "";
      const [from, to] = [string(), string()];
      const fine = name.startsWith("posix") ? isIn(entry(from), ...WRITABLE) : isIn(entry(from), ...ALL);
      return check(fine && isIn(entry(to), ...WRITABLE), `${name} ${from} ${to}`);
    }
    default:
      return "";
  }
}

/** Whole packets, and what is left. */
export function packetsIn(bytes: Buffer): { packets: Buffer[]; rest: Buffer } {
  const packets: Buffer[] = [];
  let at = 0;
  while (bytes.length - at >= 4 && bytes.length - at >= 4 + bytes.readUInt32BE(at)) {
    const end = at + 4 + bytes.readUInt32BE(at);
    packets.push(bytes.subarray(at, end));
    at = end;
  }
  return { packets, rest: bytes.subarray(at) };
}

/** What sftp-server might answer to a request. */
export function answerTo(packet: Buffer, handle: number): Buffer {
  const type = packet.readUInt8(4);
  const id = packet.subarray(5, 9);
  const one = (kind: number, ...parts: Buffer[]) => {
    const body = Buffer.concat([Buffer.of(kind), id, ...parts]);
    return Buffer.concat([u32be(body.length), body]);
  };
  if (type === 1) return Buffer.concat([u32be(5), Buffer.of(2), u32be(3)]);
  if (type === 3 || type === 11) return one(102, u32be(4), u32be(handle));
  if (type === 5) return one(103, u32be(1), Buffer.of(7));
  return one(101, u32be(0), u32be(0), u32be(0));
}

export function u32be(value: number): Buffer {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(value >>> 0);
  return four;
}
