import { Socket } from "node:net";
import { duplicate } from "../kernel/system-calls.ts";
import { cutFrames, MAX_SHIM_FRAME, type ShimFrame } from "../shim/shim-protocol.ts";

/** What one read takes at most. */
const READ_SIZE = 256 * 1024;
/** Room for the beginning of a frame that an earlier read brought: less than a whole one. */
const CARRY_SIZE = MAX_SHIM_FRAME + 4;

/*
 * Every connection is read into the same memory, as what came is served before the next read: a buffer for each read
 * would be garbage by the gigabyte, and one for each connection would be idle for most of them. What is never touched
 * takes no memory.
 */
const memory = Buffer.allocUnsafeSlow(CARRY_SIZE + READ_SIZE);
const incoming = memory.subarray(CARRY_SIZE);

/** Called with the whole frames of one read, whose data is valid until the call returns; null for one too large. */
export type OnFrames = (frames: ShimFrame[] | null) => void;

/**
 * A socket on the connection of one that a server has accepted and that is paused (`pauseOnConnect`), reading frames as
 * above. The server counts the accepted one as open until this one is closed.
 */
export function frameSocket(accepted: Socket, onFrames: OnFrames): Socket {
  // Node shows no descriptor of a socket; this member has been there since its beginning.
  const { _handle: handle } = accepted as unknown as { _handle: { fd: number } | null };
  if (handle === null) throw new Error("the connection is gone");
  const reader = new IntakeReader();
  const socket = new Socket({
    fd: duplicate(handle.fd),
    readable: true,
    writable: true,
    onread: {
      buffer: incoming,
      callback: (length: number) => {
        const frames = reader.take(length);
        if (frames?.length !== 0) onFrames(frames);
        return true;
      },
    },
  });
  accepted.on("error", () => {});
  socket.on("close", () => accepted.destroy());
  return socket;
}

/** What a connection keeps between reads: the beginning of a frame. */
class IntakeReader {
  #carry: Buffer = Buffer.alloc(0);
  #carried = 0;

  take(length: number): ShimFrame[] | null {
    const begin = CARRY_SIZE - this.#carried;
    this.#carry.copy(memory, begin, 0, this.#carried);
    const bytes = memory.subarray(begin, CARRY_SIZE + length);
    const cut = cutFrames(bytes);
    if (cut === null) return null;
    const rest = bytes.subarray(cut.length);
    if (rest.length > this.#carry.length)
      this.#carry = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(rest.length)));
    this.#carry.set(rest);
    this.#carried = rest.length;
    return cut.frames;
  }
}
