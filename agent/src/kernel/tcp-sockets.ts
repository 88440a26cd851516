import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** One line of proc(5) net/tcp or net/tcp6. Addresses as `192.0.2.1:22` and `[2001:db8:0:0:0:0:0:1]:22`. */
export interface TcpSocket {
  inode: number;
  state: "established" | "listen" | "other";
  local: string;
  peer: string;
}

const STATES: Record<string, TcpSocket["state"]> = { "01": "established", "0A": "listen" };

/** Inodes of the sockets that a process holds; empty when it has ended. */
export function socketInodesOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${descriptor}`))?.[1];
      return inode === undefined ? [] : [Number(inode)];
    });
  } catch {
    return [];
  }
}

/** Connected and listening TCP sockets of a process's network namespace. */
export function tcpSocketsOf(pid: number): TcpSocket[] {
  return ["tcp", "tcp6"]
    .flatMap((name) => linesOf(`/proc/${pid}/net/${name}`))
    .flatMap((line) => parseTcpLine(line) ?? [])
    .filter((socket) => socket.state !== "other");
}

/** Parses one line; null for a heading or what is no socket. The kernel writes addresses as words of the CPU's order. */
export function parseTcpLine(line: string): TcpSocket | null {
  const fields = line.trim().split(/\s+/);
  const [, local, peer, state] = fields;
  const inode = Number(fields[9]);
  if (local === undefined || peer === undefined || state === undefined || !Number.isInteger(inode))
    return null;
  return { inode, state: STATES[state] ?? "other", local: address(local), peer: address(peer) };
}

function address(text: string): string {
  const [words = "", port = "0"] = text.split(":");
  const bytes = Buffer.from(words, "hex");
  for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  const number = Number.parseInt(port, 16);
  if (bytes.length === 4) return `${[...bytes].join(".")}:${number}`;
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff;
  if (mapped) return `${[...bytes.subarray(12)].join(".")}:${number}`;
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return `[${groups.join(":")}]:${number}`;
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split("\n");
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
